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
	folder, log, err := o.Open("", "costs.log")
	if err != nil {
		return err
	}
	defer log.Close()
	measured, err := rehearse.Measure(ctx, o, keys)
	if err != nil {
		return err
	}
	if len(keys) > 0 {
		if err := measured.Write(filepath.Join(folder, "costs.json")); err != nil {
			return err
		}
		_, err = io.WriteString(out, costs.Table(measured.Rows))
		return err
	}
	if err := measured.Write(filepath.Join(o.Root, costs.File)); err != nil {
		return err
	}
	text, err := render(measured)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.Root, costs.Page), []byte(text), 0o644)
}

func render(m costs.Measured) (string, error) {
	day, err := time.Parse(time.DateOnly, m.Date)
	if err != nil {
		return "", fmt.Errorf("read the day of the figures: %w", err)
	}
	var b strings.Builder
	err = template.Must(template.New("page").Parse(page)).Execute(&b, map[string]any{
		"Stack": m.Stack, "Day": day.Format("2 January 2006"), "Rate": m.Rate, "Load": m.Load, "Table": costs.Table(m.Rows),
	})
	return b.String(), err
}
