package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"handover/internal/codes"
)

// offer completes a flag with the codes of a list.
func offer(cmd *cobra.Command, flag string, list codes.List) {
	var values []cobra.Completion
	for _, c := range list {
		values = append(values, cobra.CompletionWithDesc(c.Code, c.Label))
	}
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // the flag exists
}

// offerPartners completes a flag with the ids of the partners, if the hub says them
// before anybody loses patience.
func (a *app) offerPartners(cmd *cobra.Command, flag string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second)
		defer cancel()
		_, c, err := a.client(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		found, err := c.Directory(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var values []cobra.Completion
		for _, p := range found {
			values = append(values, cobra.CompletionWithDesc(p.ID, plain(p.Name)))
		}
		return values, cobra.ShellCompDirectiveNoFileComp
	})
}
