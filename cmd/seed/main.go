// Command seed puts the rows of rehearsal.yaml into the database of a stack, by the commands that the current folder and
// kubeconfig lead to. bin/preview calls it once for each preview.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"threetier/gate/node"
	"threetier/gate/seed"
)

func main() {
	stack := flag.String("stack", "", "the stack")
	namespace := flag.String("namespace", "", "its namespace")
	flag.Parse()
	if err := run(*stack, *namespace); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n", err)
		os.Exit(1)
	}
}

func run(stack, namespace string) error {
	rows, err := seed.Read(".")
	if err != nil {
		return err
	}
	kubectl := func(args ...string) *exec.Cmd {
		return exec.Command("kubectl", append([]string{"--namespace", namespace}, args...)...)
	}
	psql := func(args ...string) *exec.Cmd {
		cmd := exec.Command("bin/psql", append([]string{stack}, args...)...)
		cmd.Env = append(os.Environ(), "NS="+namespace, "WHO=seed")
		return cmd
	}
	return rows.Put(psql, func(command []string) (*exec.Cmd, error) {
		out, err := node.Output(kubectl("get", "deployments", "--selector", "app.kubernetes.io/name=backend", "--output", "name"))
		if err != nil {
			return nil, fmt.Errorf("find the backend: %w", err)
		}
		backend := cmp.Or(strings.TrimSpace(string(out)), "deployment/backend")
		return kubectl(append([]string{"exec", backend, "--"}, command...)...), nil
	})
}
