// Command promises changes one key of a stack config after the other on the local node, under load, and writes what each
// change cost to docs/promises.md.
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/template"
	"time"

	"threetier/gate/costs"
	"threetier/gate/rehearse"
)

//go:embed promises.md.tmpl
var page string

func main() {
	o := rehearse.Options{Progress: os.Stderr}
	flag.StringVar(&o.Stack, "stack", "dev", "the stack whose config is changed")
	flag.StringVar(&o.Root, "root", ".", "the project's folder")
	keys := flag.String("keys", "", "keys with commas between them; their rows are printed, and the page stays (default: all keys, into the page)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, o, *keys)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, o rehearse.Options, list string) error {
	var keys []string
	if list != "" {
		keys = strings.Split(list, ",")
	}
	for _, key := range keys {
		if !slices.Contains(rehearse.Keys(), key) {
			return fmt.Errorf("KEYS has %q, want some of %s", key, strings.Join(rehearse.Keys(), ","))
		}
	}
	_, log, err := o.Open("", "promises.log")
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
	return write(file, o.Stack, time.Now().UTC(), measured)
}

// write makes the page.
func write(out io.Writer, stack string, day time.Time, m rehearse.Measured) error {
	return template.Must(template.New("page").Parse(page)).Execute(out, map[string]any{
		"Stack": stack, "Day": day.Format("2 January 2006"), "Rate": m.Rate, "Load": m.Load, "Table": costs.Table(m.Rows),
	})
}
