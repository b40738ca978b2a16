package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"handover/client"
)

func (a *app) pathwayCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pathway [NAME]",
		Short: "Say what a statutory pathway needs, and what nobody may ask her for",
		Long: `Say what a pathway needs: duty-to-refer, nrm, marac or gp-registration. handover send refuses
what a statute cannot be without, before anything is sealed; the rest it says and sends.
It needs neither a profile nor the hub.`,
		Example: "  handover pathway\n  handover pathway duty-to-refer",
		Args:    cobra.MaximumNArgs(1),
		RunE: a.does(func(_ *cobra.Command, args []string) error {
			all := client.Pathways()
			if len(args) == 1 {
				all = slices.DeleteFunc(all, func(p client.Pathway) bool { return p.Code != args[0] })
				if len(all) == 0 {
					return usage("there is no pathway of that name: duty-to-refer, nrm, marac, gp-registration")
				}
			}
			return a.show(map[string]any{"pathways": all}, func(w io.Writer) {
				for _, p := range all {
					writePathway(w, p, len(args) == 1)
				}
			})
		}),
	}
}

func writePathway(w io.Writer, p client.Pathway, whole bool) {
	if !whole {
		fmt.Fprintf(w, "%s\t%s\n", p.Code, p.Title)
		return
	}
	fmt.Fprintf(w, "%s\n\nIt needs:\n", p.Title)
	for _, n := range p.Needs {
		mark := "should have"
		if n.Required {
			mark = "must have"
		}
		fmt.Fprintf(w, "  %s %s: %s\n    in %s\n", mark, n.What, n.Why, strings.Join(n.Any, ", or "))
	}
	if len(p.Agreements) > 0 {
		fmt.Fprintln(w, "\nAsk her, each by itself:")
	}
	for _, agreement := range p.Agreements {
		fmt.Fprintf(w, "  %s (%s)\n", agreement.Asks, agreement.Code)
	}
	fmt.Fprintln(w, "\nTo know:")
	for _, prompt := range p.Prompts {
		fmt.Fprintf(w, "  %s\n", prompt)
	}
	fmt.Fprintf(w, "\nNobody may ask for: %s\n\nSources: %s\n", strings.Join(p.NotNeeded, "; "), strings.Join(p.Sources, "; "))
}

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema [NAME]",
		Short: "List what each section holds, or print its JSON Schema",
		Long: `List the schemas of the sections, or print one as JSON Schema 2020-12. handover send holds
every section to its schema before it is sealed, since the hub cannot. It needs neither a
profile nor the hub.`,
		Example: "  handover schema\n  handover schema safe-contact/1",
		Args:    cobra.MaximumNArgs(1),
		RunE: a.does(func(_ *cobra.Command, args []string) error {
			all := client.Schemas()
			if len(args) == 0 {
				return a.show(map[string]any{"schemas": all}, func(w io.Writer) {
					for _, s := range all {
						fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, s.Title, s.Description)
					}
				})
			}
			i := slices.IndexFunc(all, func(s client.Schema) bool { return s.Name == args[0] })
			if i < 0 {
				return usage("there is no schema of that name: handover schema lists them")
			}
			return a.showJSON(jsontext.Value(all[i].Text))
		}),
	}
}
