// Scale measures what a request costs each tier, in CPU time, and writes docs/reference/scale.md: these figures, and what they make
// of the stack configs of dev and prod.
//
//	make scale
//
// It brings up a stack of its own on the local node, with one pod in each tier, loads it with wrk inside the node, and
// destroys it. With -page it measures nothing, and writes the page from the last figures and the present stack configs.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"threetier/gate/project"
)

// Where the figures are kept, and the page that shows them.
const (
	figuresFile = "cmd/scale/figures.json"
	pageFile    = "docs/reference/scale.md"
)

func main() {
	pageOnly := flag.Bool("page", false, "write the page from the figures that are there")
	flag.Parse()
	if err := run(*pageOnly); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(pageOnly bool) error {
	root := project.Root()
	if !pageOnly {
		measured, err := measure(root)
		if err != nil {
			return err
		}
		text, err := json.MarshalIndent(measured, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(root, figuresFile), append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	page, err := render(root)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, pageFile), []byte(page), 0o644)
}

// figures are what was measured, and on what.
type figures struct {
	Date    string  `json:"date"`
	Machine machine `json:"machine"`
	// Rounds are the runs of each load, Seconds the length of each, Connections those of the client.
	Rounds      int `json:"rounds"`
	Seconds     int `json:"seconds"`
	Connections int `json:"connections"`
	// Loads are the medians of each load.
	Loads []load `json:"loads"`
}

type machine struct {
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	MemoryGiB int    `json:"memoryGiB"`
	Kernel    string `json:"kernel"`
}

// load is one kind of request.
type load struct {
	Name string `json:"name"`
	Path string `json:"path"`
	// PerSecond are requests, P99 is in milliseconds, with all tiers and the client on the one machine.
	PerSecond float64 `json:"perSecond"`
	P99       float64 `json:"p99"`
	// CPU is what a request costs each tier, in microseconds of a processor.
	CPU map[string]float64 `json:"cpu"`
}
