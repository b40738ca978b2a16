package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"handover/internal/codes"
	"handover/internal/pg"
	"handover/partners"
)

// operate opens the registry as the schema's owner, gives it to act and says what a
// refusal means. A hub that runs on this folder may go on running.
func operate(ctx context.Context, environ []string, act func(*partners.Store) error) error {
	return operateOn(ctx, environ, func(_ *pgxpool.Pool, s *partners.Store) error { return act(s) })
}

// operateOn is operate for an act that needs other rooms too, over the same pool.
func operateOn(ctx context.Context, environ []string, act func(*pgxpool.Pool, *partners.Store) error) error {
	cfg, err := load(environ)
	if err != nil {
		return err
	}
	address, stop, err := ownDatabase(ctx, cfg)
	if err != nil {
		return err
	}
	err = plainly(asOwner(ctx, address, act))
	return errors.Join(err, stop())
}

func asOwner(ctx context.Context, address string, act func(*pgxpool.Pool, *partners.Store) error) error {
	if err := pg.Migrate(ctx, address); err != nil {
		return fmt.Errorf("migrating the database: %w", err)
	}
	pool, err := pg.Open(ctx, address, "", 2)
	if err != nil {
		return err
	}
	defer pool.Close()
	firewall, err := partners.LoadFirewall()
	if err != nil {
		return err
	}
	return act(pool, partners.NewStore(pool, firewall))
}

// ownDatabase is the configured database, that of the hub running on this folder, or
// else the built-in one, started for this command alone.
func ownDatabase(ctx context.Context, cfg Config) (address string, stop func() error, err error) {
	if cfg.DatabaseURL != "" {
		return cfg.DatabaseURL, func() error { return nil }, nil
	}
	builtin, err := pg.StartBuiltIn(ctx, cfg.Dir, slog.New(slog.DiscardHandler))
	if errors.Is(err, pg.ErrInUse) {
		noted, readErr := os.ReadFile(addressFile(cfg))
		if readErr != nil {
			return "", nil, errors.Join(err, readErr)
		}
		return string(noted), func() error { return nil }, nil
	}
	if err != nil {
		return "", nil, err
	}
	return builtin.URL(), builtin.Stop, nil
}

func partnerCommand(environ []string) *cobra.Command {
	cmd := &cobra.Command{Use: "partner", Short: "Add, suspend, resume and list partners"}
	var p partners.Partner
	var category string
	add := &cobra.Command{
		Use:     "add ID",
		Short:   "Register a partner; it takes part once it has enrolled",
		Example: `  hub partner add camden-outreach --name "Camden street outreach" --category borough-outreach --area E09000007`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.ID, p.Category = partners.ID(args[0]), partners.Category(category)
			return operate(cmd.Context(), environ, func(s *partners.Store) error {
				if err := s.Add(cmd.Context(), p); err != nil {
					return err
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is registered. Next: hub invite %s, or for an agency with no IT: hub partner manage %s\n", p.ID, p.ID, p.ID)
				return err
			})
		},
	}
	add.Flags().StringVar(&p.Name, "name", "", "the agency's name, as caseworkers read it")
	add.Flags().StringVar(&category, "category", "", "one of "+categoryList())
	add.Flags().StringSliceVar(&p.Areas, "area", nil, "GSS code of an area it serves; may be repeated")
	cmd.AddCommand(add,
		statusCommand(environ, "suspend", "Stop a partner at once", (*partners.Store).Suspend),
		manageCommand(environ),
		releaseCommand(environ),
		renewCommand(environ), expectCommand(environ),
		statusCommand(environ, "resume", "Let a suspended partner take part again", (*partners.Store).Resume),
		listCommand(environ))
	return cmd
}

func categoryList() string {
	names := make([]string, 0, len(partners.Categories()))
	for _, c := range partners.Categories() {
		names = append(names, string(c))
	}
	return strings.Join(names, ", ")
}

func statusCommand(environ []string, verb, short string, act func(*partners.Store, context.Context, partners.ID) error) *cobra.Command {
	return &cobra.Command{
		Use: verb + " ID", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return operate(cmd.Context(), environ, func(s *partners.Store) error {
				return act(s, cmd.Context(), partners.ID(args[0]))
			})
		},
	}
}

func listCommand(environ []string) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List every partner and its status", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return operate(cmd.Context(), environ, func(s *partners.Store) error {
				found, err := s.List(cmd.Context())
				if err != nil {
					return err
				}
				return printPartners(cmd.OutOrStdout(), found)
			})
		},
	}
}

func printPartners(out io.Writer, found []partners.Partner) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, p := range found {
		fmt.Fprintf(w, "%s\t%s\t%s\tkeys: %s\t%s\t%s\n", p.ID, p.Status, p.Category, p.Custody, strings.Join(p.Areas, ","), p.Name)
	}
	return w.Flush()
}

func agreementCommand(environ []string) *cobra.Command {
	cmd := &cobra.Command{Use: "agreement", Short: "Put data-sharing agreements in force that nobody signed, and end them"}
	var a partners.Agreement
	var days int
	var bothWays bool
	add := &cobra.Command{
		Use:     "add SENDER RECIPIENT",
		Short:   "Say what SENDER may send RECIPIENT, and for which purposes",
		Example: `  hub agreement add camden-outreach larkfield-housing --purpose housing --section need,safe-contact --both-ways`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.Sender, a.Recipient = partners.ID(args[0]), partners.ID(args[1])
			a.From = time.Now()
			a.To = a.From.AddDate(0, 0, days)
			return operate(cmd.Context(), environ, func(s *partners.Store) error {
				return agree(cmd.Context(), cmd.OutOrStdout(), s, a, bothWays)
			})
		},
	}
	add.Flags().StringSliceVar(&a.Purposes, "purpose", nil, "a purpose it covers; may be repeated")
	add.Flags().StringSliceVar(&a.Sections, "section", nil, "a section it covers; may be repeated")
	add.Flags().IntVar(&days, "days", 365, "how many days it stands")
	add.Flags().BoolVar(&bothWays, "both-ways", false, "the same from RECIPIENT to SENDER")
	end := &cobra.Command{
		Use: "end ID", Short: "End an agreement at once", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return operate(cmd.Context(), environ, func(s *partners.Store) error {
				return s.EndAgreement(cmd.Context(), args[0])
			})
		},
	}
	cmd.AddCommand(add, agreementListCommand(environ), end)
	return cmd
}

func agree(ctx context.Context, out io.Writer, s *partners.Store, a partners.Agreement, bothWays bool) error {
	directions := []partners.Agreement{a}
	if bothWays {
		back := a
		back.Sender, back.Recipient = a.Recipient, a.Sender
		directions = append(directions, back)
	}
	for _, d := range directions {
		id, err := s.Agree(ctx, d)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s may send %s: agreement %s\n", d.Sender, d.Recipient, id); err != nil {
			return err
		}
	}
	return nil
}

func serviceCommand(environ []string) *cobra.Command {
	cmd := &cobra.Command{Use: "service", Short: "Publish what a partner offers"}
	var o partners.Service
	add := &cobra.Command{
		Use:     "add PARTNER NAME",
		Short:   "Publish a service; never put an address in its name",
		Example: `  hub service add larkfield-housing "Housing for women" --purpose housing --area E09000007 --women-only`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Partner, o.Name = partners.ID(args[0]), args[1]
			return operate(cmd.Context(), environ, func(s *partners.Store) error {
				id, err := s.Offer(cmd.Context(), o)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), id)
				return err
			})
		},
	}
	add.Flags().StringSliceVar(&o.Purposes, "purpose", nil, "a purpose it serves, of "+codes.Purposes().String())
	add.Flags().StringSliceVar(&o.Areas, "area", nil, "GSS code of an area it serves; may be repeated")
	add.Flags().StringVar(&o.Capacity, "capacity", "open", "open, waiting-list or paused")
	add.Flags().StringVar(&o.Wait, "wait", "", "of a waiting list: "+codes.Waits().String())
	add.Flags().BoolVar(&o.WomenOnly, "women-only", false, "for women only")
	add.Flags().BoolVar(&o.AcceptsNoRecourse, "accepts-no-recourse", false, "takes women with no recourse to public funds")
	add.Flags().BoolVar(&o.SelfReferral, "self-referral", false, "she may come by herself")
	cmd.AddCommand(add)
	return cmd
}

func inviteCommand(environ []string) *cobra.Command {
	var hours int
	cmd := &cobra.Command{
		Use:   "invite PARTNER",
		Short: "Make a one-time enrolment code for a partner's system",
		Long:  "Make a one-time enrolment code for a partner's system. It is shown once. Give it to the partner's administrator by a way you trust.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return operate(cmd.Context(), environ, func(s *partners.Store) error {
				code, err := s.Invite(cmd.Context(), partners.ID(args[0]), time.Duration(hours)*time.Hour)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), code)
				return err
			})
		},
	}
	cmd.Flags().IntVar(&hours, "hours", 48, "how many hours the code can be used")
	return cmd
}
