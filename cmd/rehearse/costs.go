package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"threetier/gate/costs"
	"threetier/gate/rehearse"
)

//go:embed costs.md.tmpl
var page string

// measure changes one key of the stack config after the other, and writes what each change cost into the page; of some keys it
// prints the rows, and the page stays.
func measure(ctx context.Context, out io.Writer, o rehearse.Options, list string) error {
	var keys []string
	if list != "" {
		keys = strings.Split(list, ",")
	}
	for _, key := range keys {
		if !slices.Contains(rehearse.Keys(), key) {
			return fmt.Errorf("KEYS has %q, want some of %s", key, strings.Join(rehearse.Keys(), ","))
		}
	}
	_, log, err := o.Open("", "costs.log")
	if err != nil {
		return err
	}
	defer log.Close()
	measured, err := rehearse.Measure(ctx, o, keys)
	if err != nil {
		return err
	}
	if len(keys) > 0 {
		_, err = io.WriteString(out, costs.Table(measured.Rows))
		return err
	}
	file, err := os.Create(filepath.Join(o.Root, costs.File))
	if err != nil {
		return fmt.Errorf("write %s: %w", costs.File, err)
	}
	defer file.Close()
	return writePage(file, o.Stack, time.Now().UTC(), measured)
}

// writePage makes the page.
func writePage(out io.Writer, stack string, day time.Time, m rehearse.Measured) error {
	return template.Must(template.New("page").Parse(page)).Execute(out, map[string]any{
		"Stack": stack, "Day": day.Format("2 January 2006"), "Rate": m.Rate, "Load": m.Load, "Table": costs.Table(m.Rows),
	})
}
