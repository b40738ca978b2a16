package main

import "github.com/spf13/cobra"

// auditCommand is what an auditor does.
func (a *app) auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Check the hub's log, and what was shared and opened, without trusting the hub",
		Long: `Check the hub's log, and what was shared and opened, without trusting the hub.

Once, and when the witnesses change:
  handover audit policy              compare whose cosignatures the hub gathers, and pin it

Every quarter:
  handover audit checkpoint          keep the newest checkpoint of the log, proved to continue the last
  handover audit export …            take out what the log has of the quarter
  handover audit verify FILE         verify it, on a machine that needs no network`,
	}
	cmd.AddCommand(a.auditEntriesCommand(), a.auditReviewCommand(), a.auditVerifyCommand(), a.auditCheckpointCommand(), a.auditPolicyCommand(), a.auditExportCommand())
	return cmd
}
