package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"threetier/local/internal/deploy"
	"threetier/local/internal/home"
	"threetier/local/internal/images"
	"threetier/local/internal/machine"
	"threetier/local/internal/node"
	"threetier/local/internal/tools"
)

// running finds the node, and says what to do where it doesn't run.
func running(h home.Home) (int, error) {
	pid, err := node.PID(h)
	if err == nil && pid == 0 {
		err = errors.New("the local node isn't running: start it with make up")
	}
	return pid, err
}

func superviseCommand() *cobra.Command {
	return &cobra.Command{Use: "supervise", Hidden: true, Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		if os.Getpid() == 1 {
			return node.Init()
		}
		h, err := home.Find()
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
		defer stop()
		return node.Supervise(ctx, h, os.NewFile(3, "hostnet"))
	}}
}

func checkCommand() *cobra.Command {
	var packages bool
	command := &cobra.Command{Use: "check", Short: "say what this machine lacks for the node, if anything", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		if packages {
			return machine.CheckPackages()
		}
		h, err := home.Find()
		if err != nil {
			return err
		}
		return machine.Check(h)
	}}
	command.Flags().BoolVar(&packages, "packages", false, "for the packages that the fast tests run, alone")
	return command
}

func probeCommand() *cobra.Command {
	return &cobra.Command{Use: machine.ProbeCommand, Hidden: true, Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		return machine.Probe()
	}}
}

// alone runs a command that changes the node, when no other command does anything.
func alone(do func(home.Home) error) func(*cobra.Command, []string) error {
	return func(*cobra.Command, []string) error {
		h, err := home.Find()
		if err != nil {
			return err
		}
		for _, what := range []string{"node", "setup"} {
			lock, err := h.Lock(what, syscall.LOCK_EX)
			if err != nil {
				return err
			}
			defer lock.Close()
		}
		return do(h)
	}
}

// withNode runs a command that wants the node running.
func withNode(do func(h home.Home, pid int, args []string) error) func(*cobra.Command, []string) error {
	return func(_ *cobra.Command, args []string) error {
		h, err := home.Find()
		if err != nil {
			return err
		}
		pid, err := running(h)
		if err != nil {
			return err
		}
		return do(h, pid, args)
	}
}

func downCommand() *cobra.Command {
	return &cobra.Command{Use: "down", Short: "stop the node; its data stays", Args: cobra.NoArgs, RunE: alone(node.Stop)}
}

func cleanCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "clean", Short: "stop the node and remove .local, its data and tools with it", Args: cobra.NoArgs,
		RunE: alone(func(h home.Home) error {
			if err := node.Stop(h); err != nil {
				return err
			}
			packages := tools.Installed(h)
			if err := os.RemoveAll(h.Path()); err != nil {
				return fmt.Errorf("remove %s: %w", h.Path(), err)
			}
			if h.Path() != h.Cache() {
				return nil // a second node of the checkout: what they share stays
			}
			return leave(all, packages)
		}),
	}
	cmd.Flags().BoolVar(&all, "all", false, "remove the caches of go and npm too, those of other projects with them")
	return cmd
}

// leave says what stays of the node after its folder is gone.
func leave(all bool, packages []string) error {
	if all {
		for _, command := range [][]string{{"go", "clean", "-cache", "-modcache"}, {"npm", "cache", "clean", "--force", "--silent"}} {
			if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, strings.TrimSpace(string(out)))
			}
		}
	} else {
		fmt.Println("left: the caches of go and npm, which other projects use too; make clean ALL=1 removes them")
	}
	if len(packages) > 0 {
		fmt.Println("left: the packages that were installed; to remove them: apt-get autoremove", strings.Join(packages, " "))
	}
	return nil
}

func execCommand() *cobra.Command {
	return &cobra.Command{
		Use: "exec -- COMMAND [ARGUMENT…]", Short: "run a command inside the node, kubectl, curl or psql for one", Args: cobra.MinimumNArgs(1),
		RunE: withNode(func(h home.Home, pid int, args []string) error {
			cmd := node.Command(h, pid, args...)
			if args[0] == "pulumi" {
				if err := deploy.OpenShell(h, "", ""); err != nil {
					return err
				}
				cmd = node.CommandIn(deploy.Project(h), h, pid, args...)
			}
			cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
			return exitAs(cmd.Run())
		}),
	}
}

// exitAs ends with the status of a command that has already said what was wrong.
func exitAs(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	return err
}

func loadCommand() *cobra.Command {
	return &cobra.Command{
		Use: "load FILE…", Short: "import docker- or OCI-archive images", Args: cobra.MinimumNArgs(1),
		RunE: withNode(func(h home.Home, pid int, args []string) error {
			store := images.Store{Home: h, PID: pid}
			before, err := store.Loaded()
			if err != nil {
				return err
			}
			if err := store.Load(args...); err != nil {
				return err
			}
			after, err := store.Loaded()
			if err != nil {
				return err
			}
			for _, name := range after {
				if !slices.Contains(before, name) && !strings.HasPrefix(name, "sha256:") {
					fmt.Println("loaded", name)
				}
			}
			return nil
		}),
	}
}

func unloadCommand() *cobra.Command {
	return &cobra.Command{
		Use: "unload IMAGE…", Short: "remove images that were loaded or built", Args: cobra.MinimumNArgs(1),
		RunE: withNode(func(h home.Home, pid int, args []string) error {
			return images.Store{Home: h, PID: pid}.Unload(args...)
		}),
	}
}

func installCommand() *cobra.Command {
	return &cobra.Command{Use: "install", Short: "install the packages that the node and the tests want", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		h, err := home.Find()
		if err != nil {
			return err
		}
		if err := os.MkdirAll(h.Path("logs"), 0o700); err != nil {
			return fmt.Errorf("make the folder of the logs: %w", err)
		}
		return settingUp(h, func(*os.File) error {
			for _, purpose := range []string{"up", "test"} {
				if err := tools.Install(h, purpose); err != nil {
					return err
				}
			}
			return tools.Trixie(h)
		})
	}}
}

// statusReport is what `local status` says.
type statusReport struct {
	Running bool              `json:"running"`
	Ready   bool              `json:"ready"`
	URLs    map[string]string `json:"urls"`
	Logs    string            `json:"logs"`
}

func statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{Use: "status", Short: "what runs, its URLs, where the logs are", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		h, err := home.Find()
		if err != nil {
			return err
		}
		report, err := status(h)
		if err != nil {
			return err
		}
		if asJSON {
			return json.NewEncoder(os.Stdout).Encode(report)
		}
		if !report.Running {
			fmt.Println("node    not running")
		} else {
			fmt.Printf("node    running, ready: %t\n", report.Ready)
		}
		for stack, url := range report.URLs {
			fmt.Printf("%-7s %s\n", stack, url)
		}
		fmt.Printf("logs    %s\n", report.Logs)
		return nil
	}}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as one line of JSON")
	return cmd
}

func status(h home.Home) (statusReport, error) {
	report := statusReport{URLs: map[string]string{}, Logs: filepath.Clean(h.Path("logs"))}
	pid, err := node.PID(h)
	if err != nil || pid == 0 {
		return report, err
	}
	report.Running = true
	s, err := node.Connect(h).Status()
	if err != nil {
		return report, err
	}
	report.Ready = s.Ready
	for stack, f := range s.Forwards {
		if f.Target != "" {
			report.URLs[stack] = localURL(f.Port)
		}
	}
	return report, nil
}

func localURL(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }
