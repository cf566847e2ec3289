// Command rehearse deploys a commit on the local node, changes it to the checkout's version and back under load, and
// reports what that cost. It fails where the change loses requests or rows, can't be taken back, or holds a lock for long.
// With -costs it changes one key of a stack config after the other, and writes what each change cost.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"threetier/gate/rehearse"
)

func main() {
	o := rehearse.Options{Root: ".", Progress: os.Stderr}
	flag.StringVar(&o.Base, "base", "", "the commit that runs now")
	flag.StringVar(&o.Head, "head", "", "the commit that is to come (default: the checkout as it is)")
	flag.StringVar(&o.Stack, "stack", "dev", "the stack whose config is rehearsed")
	out := flag.String("out", "", "the folder of the report (default: .local/rehearsal)")
	costs := flag.Bool("costs", false, "measure what a change of each key costs instead, for the page of costs")
	keys := flag.String("keys", "", "with -costs: some keys with commas between them (default: all, into the page)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if *costs {
		err = measure(ctx, os.Stdout, o, *keys)
	} else {
		err = run(ctx, os.Stdout, o, *out)
	}
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, o rehearse.Options, folder string) error {
	if o.Base == "" {
		return errors.New("BASE is empty, want the commit that runs now: make rehearse BASE=origin/main")
	}
	folder, log, err := o.Open(folder, "rehearsal.log")
	if err != nil {
		return err
	}
	defer log.Close()
	report, err := rehearse.Run(ctx, o)
	if report == nil {
		return err
	}
	if err := errors.Join(err, write(folder, report)); err != nil {
		return err
	}
	if _, err := io.WriteString(out, report.Markdown()); err != nil {
		return err
	}
	if !report.Passed() {
		return fmt.Errorf("the rehearsal failed: %s", filepath.Join(folder, "rehearsal.md"))
	}
	return nil
}

func write(folder string, report *rehearse.Report) error {
	data, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	for name, text := range map[string]string{"rehearsal.md": report.Markdown(), "rehearsal.json": string(data) + "\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	return nil
}
