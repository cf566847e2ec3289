package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"threetier/gate/node"
	"threetier/gate/project"
	"threetier/gate/wrk"
	"threetier/internal/settings"
)

const (
	stackName   = "scale"
	rounds      = 5
	seconds     = 8
	connections = 8 // NGINX lets one client have 36 requests at the same time
	rows        = 20
)

// What CPU time is looked up of: three tiers and the server of the database.
const (
	nginx    = "nginx"
	frontend = "frontend"
	backend  = "backend"
	database = "database"
)

// loads are the requests that are measured, and who works for them.
var loads = []struct {
	name, path string
	tiers      []string
}{
	{"a page", "/", []string{nginx, frontend}},
	{fmt.Sprintf("a read of %d rows", rows), "/api/items", []string{nginx, backend, database}},
}

// local is the node with the stack that is measured, whose namespace begins the instance's name too.
type local struct{ node.Node }

func (n local) inside(args ...string) (string, error) {
	out, err := node.Output(n.Inside(context.Background(), args...))
	if err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	return string(out), nil
}

// measure brings up the stack, measures, and destroys it whatever happens.
func measure(root string) (measured figures, err error) {
	name, err := project.Name(root)
	if err != nil {
		return figures{}, err
	}
	n := local{node.Node{Root: root, Namespace: settings.DefaultNamespace(name, stackName)}}
	config, err := onePodEach(root)
	if err != nil {
		return figures{}, err
	}
	defer func() { _ = os.Remove(config) }()
	stack := func(verb string) error {
		cmd := exec.Command("bin/local", verb, "--stack", stackName, "--config-file", config)
		cmd.Dir = root
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		return cmd.Run()
	}
	if err := stack("up"); err != nil {
		return figures{}, fmt.Errorf("bring up the stack %s: %w", stackName, err)
	}
	defer func() { err = errors.Join(err, stack("destroy")) }()
	pods, err := n.pods()
	if err != nil {
		return figures{}, err
	}
	measured = figures{Date: time.Now().UTC().Format(time.DateOnly), Rounds: rounds, Seconds: seconds, Connections: connections}
	if measured.Machine, err = thisMachine(); err != nil {
		return figures{}, err
	}
	add := fmt.Sprintf(`for i in $(seq %d); do curl -fsS -o /dev/null -H 'Content-Type: application/json' -d "{\"title\": \"item $i\"}" http://%s:8080/api/items; done`,
		rows, pods[nginx].ip)
	if _, err := n.inside("sh", "-ec", add); err != nil {
		return figures{}, fmt.Errorf("add items: %w", err)
	}
	measured.Loads, err = n.loads(pods)
	return measured, err
}

// onePodEach is dev's config with one pod in each tier, in a file.
func onePodEach(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, "Pulumi.dev.yaml"))
	if err != nil {
		return "", err
	}
	values, err := project.ReadValues(text)
	if err != nil {
		return "", err
	}
	for _, tier := range []string{nginx, frontend, backend} {
		values.Set("threetier:"+tier+".replicas", map[string]any{"min": 1, "max": 1})
	}
	if text, err = values.Text(); err != nil {
		return "", err
	}
	file, err := os.CreateTemp("", "Pulumi.scale-*.yaml")
	if err != nil {
		return "", err
	}
	_, err = file.Write(text)
	return file.Name(), errors.Join(err, file.Close())
}

type pod struct{ name, ip string }

// pods are the one of each tier.
func (n local) pods() (map[string]pod, error) {
	var list struct {
		Items []struct {
			Metadata struct {
				Name   string
				Labels map[string]string
			}
			Status struct {
				PodIP string `json:"podIP"`
			}
		}
	}
	if err := n.Get(context.Background(), &list, "pods", "--field-selector", "status.phase=Running"); err != nil {
		return nil, err
	}
	pods := map[string]pod{}
	for _, item := range list.Items {
		pods[item.Metadata.Labels["app.kubernetes.io/name"]] = pod{item.Metadata.Name, item.Status.PodIP}
	}
	for _, tier := range []string{nginx, frontend, backend} {
		if pods[tier].ip == "" {
			return nil, fmt.Errorf("no pod of %s runs in %s, want one", tier, n.Namespace)
		}
	}
	return pods, nil
}

// loads takes turns, so that what else runs on the machine meets all.
func (n local) loads(pods map[string]pod) ([]load, error) {
	runs := make([][]load, len(loads))
	for round := range rounds {
		for i, l := range loads {
			run, err := n.load(l.name, l.path, pods, l.tiers)
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(os.Stderr, "round %d of %d: %s: %.0f requests/s, p99 %.1f ms, µs of CPU: %.0f\n", round+1, rounds, l.name, run.PerSecond, run.P99, slices.Sorted(maps.Values(run.CPU)))
			runs[i] = append(runs[i], run)
		}
	}
	var medians []load
	for _, run := range runs {
		medians = append(medians, median(run))
	}
	return medians, nil
}

// load is one run of wrk, and what it cost the tiers.
func (n local) load(name, path string, pods map[string]pod, tiers []string) (load, error) {
	before, err := n.cpu(pods, tiers)
	if err != nil {
		return load{}, err
	}
	said, err := n.inside(wrk.Command("http://"+pods[nginx].ip+":8080"+path, connections, seconds)...)
	if err != nil {
		return load{}, fmt.Errorf("run wrk (Debian package wrk): %w", err)
	}
	after, err := n.cpu(pods, tiers)
	if err != nil {
		return load{}, err
	}
	figures, err := wrk.Read(said)
	if err != nil {
		return load{}, fmt.Errorf("%s: %w", path, err)
	}
	run := load{Name: name, Path: path, PerSecond: figures.PerSecond, P99: figures.P99, CPU: map[string]float64{}}
	for _, tier := range tiers {
		run.CPU[tier] = (after[tier] - before[tier]) / figures.Requests
	}
	return run, nil
}

// cpu is the time that each tier has used, in microseconds.
func (n local) cpu(pods map[string]pod, tiers []string) (map[string]float64, error) {
	used := map[string]float64{}
	for _, tier := range tiers {
		var err error
		if tier == database {
			used[tier], err = n.databaseCPU()
		} else {
			used[tier], err = n.podCPU(pods[tier].name)
		}
		if err != nil {
			return nil, fmt.Errorf("look up the CPU time of %s: %w", tier, err)
		}
	}
	return used, nil
}

// podCPU is what the kernel counts for the pod's container: with cgroups of version 2 in cpu.stat, with version 1 in cpuacct.usage.
func (n local) podCPU(name string) (float64, error) {
	const read = "cat /sys/fs/cgroup/cpu.stat 2>/dev/null || cat /sys/fs/cgroup/*cpuacct/cpuacct.usage"
	out, err := n.inside("kubectl", "--namespace", n.Namespace, "exec", name, "--", "sh", "-c", read)
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(out)
	if len(fields) == 1 {
		nanoseconds, err := strconv.ParseFloat(fields[0], 64)
		return nanoseconds / 1000, err
	}
	at := slices.Index(fields, "usage_usec")
	if at < 0 || at+1 == len(fields) {
		return 0, fmt.Errorf("cpu.stat says %q, want usage_usec", out)
	}
	return strconv.ParseFloat(fields[at+1], 64)
}

// dataFolder is the name of the folder of the database's data: its resource id.
func (n local) dataFolder() (string, error) {
	socket := filepath.Join(cmp.Or(os.Getenv("THREETIER_HOME"), filepath.Join(n.Root, ".local")), "run/account.sock")
	out, err := n.inside("curl", "-fsS", "--unix-socket", socket, "http://account/instances")
	if err != nil {
		return "", err
	}
	var instances []struct{ Identifier, DataDir string }
	if err := json.Unmarshal([]byte(out), &instances); err != nil {
		return "", fmt.Errorf("read the instances: %w", err)
	}
	for _, instance := range instances {
		if instance.Identifier == n.Namespace+"-database" {
			return filepath.Base(filepath.Dir(instance.DataDir)) + "/" + filepath.Base(instance.DataDir), nil
		}
	}
	return "", fmt.Errorf("the account has no instance %s-database, want one", n.Namespace)
}

// databaseCPU is that of all processes of the database's server, which work in the folder of its data.
func (n local) databaseCPU() (float64, error) {
	folder, err := n.dataFolder()
	if err != nil {
		return 0, err
	}
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		return 0, err
	}
	total, found := 0.0, false
	for _, link := range links {
		dir, err := os.Readlink(link)
		if err != nil || !strings.HasSuffix(dir, "/"+folder) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(filepath.Dir(link), "stat"))
		if err != nil {
			continue // it has ended
		}
		used, err := wrk.CPU(string(data))
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", link, err)
		}
		total, found = total+used, true
	}
	if !found {
		return 0, fmt.Errorf("no process works in %s", folder)
	}
	return total, nil
}

func median(runs []load) load {
	out := load{
		Name: runs[0].Name, Path: runs[0].Path, CPU: map[string]float64{},
		PerSecond: wrk.Median(runs, func(l load) float64 { return l.PerSecond }), P99: wrk.Median(runs, func(l load) float64 { return l.P99 }),
	}
	for tier := range maps.Keys(runs[0].CPU) {
		out.CPU[tier] = wrk.Median(runs, func(l load) float64 { return l.CPU[tier] })
	}
	return out
}

var (
	modelLine  = regexp.MustCompile(`(?m)^model name\s*: (.+)$`)
	memoryLine = regexp.MustCompile(`(?m)^MemTotal:\s+(\d+) kB$`)
)

func thisMachine() (machine, error) {
	read := func(file string, line *regexp.Regexp) string {
		text, _ := os.ReadFile(file)
		if found := line.FindSubmatch(text); found != nil {
			return string(found[1])
		}
		return ""
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return machine{}, err
	}
	kilobytes, err := strconv.Atoi(read("/proc/meminfo", memoryLine))
	return machine{
		Processor: read("/proc/cpuinfo", modelLine), Cores: runtime.NumCPU(),
		MemoryGiB: (kilobytes + 1<<19) >> 20, Kernel: strings.TrimSpace(string(kernel)),
	}, err
}
