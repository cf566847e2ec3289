// Command scorecard prints which Security Hub controls dev and prod pass, as their stack configs stand. It fails where
// prod doesn't pass one, and where dev fails one that its config doesn't allow. Below it stands when a restore was last tried.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/gate/plan"
	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/gate/scorecard"
	"threetier/internal/allow"
	"threetier/internal/settings"
	"threetier/internal/stack"
)

func main() {
	asJSON := flag.Bool("json", false, "print the verdicts as JSON")
	flag.Parse()
	if err := run(*asJSON); err != nil {
		fmt.Fprintln(os.Stderr, "scorecard:", err)
		os.Exit(1)
	}
}

func run(asJSON bool) error {
	dev, err := judge("dev")
	if err != nil {
		return err
	}
	prod, err := judge("prod")
	if err != nil {
		return err
	}
	wrong := 0
	for _, control := range scorecard.Controls {
		if !slices.Contains([]string{scorecard.Pass, scorecard.ByDesign}, prod[control.ID].Status) {
			wrong++
		}
		if !slices.Contains([]string{scorecard.Pass, scorecard.ByDesign, scorecard.Allowed}, dev[control.ID].Status) {
			wrong++
		}
	}
	show := showTable
	if asJSON {
		show = showJSON
	}
	if err := show(dev, prod); err != nil {
		return err
	}
	if wrong > 0 {
		return fmt.Errorf("%d controls are neither met nor, in dev, allowed", wrong)
	}
	return nil
}

func showTable(dev, prod map[string]scorecard.Verdict) error {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CONTROL\tWANTS\tPROD\tDEV")
	for _, control := range scorecard.Controls {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", control.ID, control.Title, prod[control.ID], dev[control.ID])
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Println("\n" + lastDrill(project.Root(), "prod", time.Now()))
	return nil
}

func showJSON(dev, prod map[string]scorecard.Verdict) error {
	text, err := json.MarshalIndent(map[string]map[string]scorecard.Verdict{"dev": dev, "prod": prod}, "", "  ")
	if err != nil {
		return fmt.Errorf("write the scorecard as JSON: %w", err)
	}
	fmt.Println(string(text))
	return nil
}

func judge(name string) (map[string]scorecard.Verdict, error) {
	options, err := plan.Input(project.Root(), name)
	if err != nil {
		return nil, err
	}
	var allowed allow.List
	recording, err := recorder.Run(func(ctx *pulumi.Context) error {
		if config, err := settings.Load(ctx); err == nil {
			allowed = config.Database.Allow
		}
		return stack.Deploy(ctx)
	}, options)
	if err != nil {
		return nil, fmt.Errorf("deploy %s: %w", name, err)
	}
	return scorecard.Judge(scorecard.Of(recording, options.Network), allowed), nil
}
