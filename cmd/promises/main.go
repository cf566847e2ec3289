// Command promises changes one key of a stack config after the other under load, on the local node, and writes what each
// cost to docs/promises.md.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"threetier/internal/rehearsal"
)

func main() {
	o := rehearsal.Options{Progress: os.Stderr}
	flag.StringVar(&o.Stack, "stack", "dev", "the stack whose config is changed")
	flag.StringVar(&o.Root, "root", ".", "the project's folder")
	keys := flag.String("keys", "", "the keys, by comma; what was measured goes to the standard output, as JSON (default: all of them, into docs/promises.md)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, o, *keys)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, o rehearsal.Options, list string) error {
	var keys []string
	if list != "" {
		keys = strings.Split(list, ",")
	}
	for _, key := range keys {
		if !slices.Contains(rehearsal.Keys(), key) {
			return fmt.Errorf("KEYS has %q, want some of %s", key, strings.Join(rehearsal.Keys(), ","))
		}
	}
	var err error
	if o.Root, err = filepath.Abs(o.Root); err != nil {
		return fmt.Errorf("find the project: %w", err)
	}
	log, err := os.Create(filepath.Join(o.Root, ".local", "promises.log"))
	if err != nil {
		return fmt.Errorf("make the log: %w", err)
	}
	defer log.Close()
	o.Log = log
	measured, err := rehearsal.Measure(ctx, o, keys)
	if err != nil {
		return err
	}
	if len(keys) > 0 {
		return json.NewEncoder(out).Encode(measured)
	}
	file, err := rehearsal.ReadFile(o.Root)
	if err != nil {
		return err
	}
	page := rehearsal.PromisesMarkdown(measured, o.Stack, time.Now().UTC().Format("2 January 2006"), *file.Load.Rate)
	return os.WriteFile(filepath.Join(o.Root, "docs", "promises.md"), []byte(page), 0o644)
}
