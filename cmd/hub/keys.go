package main

import "github.com/spf13/cobra"

func keysCommand(environ []string) *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "Look after keys: the hub's own, and those of partners on a bad day"}
	cmd.AddCommand(keysInitCommand(environ), keysListCommand(environ), keysRotateCommand(environ), keysRewrapCommand(environ), keysMigrateCommand(environ))
	cmd.AddCommand(keysRevokeCommand(environ), keysTouchedCommand(environ))
	return cmd
}
