package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"threetier/local/internal/deploy"
	"threetier/local/internal/home"
	"threetier/local/internal/images"
	"threetier/local/internal/machine"
	"threetier/local/internal/node"
	"threetier/local/internal/step"
	"threetier/local/internal/tools"
)

// target is a stack and where its config comes from.
type target struct {
	name       string
	configFile string
	port       int
	plan       string
	rebuilt    []string // images that were loaded before, with other content
	// noConfig lets the config's file be absent.
	noConfig bool
}

func (t *target) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.name, "stack", "dev", "the stack: its config is Pulumi.<stack>.yaml")
	cmd.Flags().StringVar(&t.configFile, "config-file", "", "the stack's config, where it isn't Pulumi.<stack>.yaml")
}

var stackName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)

// check finds the stack's config, and says in one line what is wrong with what was asked.
func (t *target) check(h home.Home) error {
	if !stackName.MatchString(t.name) {
		return fmt.Errorf("the stack's name is %q, want a lower-case letter, then at most 30 letters, digits and hyphens", t.name)
	}
	if t.configFile == "" {
		t.configFile = h.Deployed("Pulumi." + t.name + ".yaml")
	}
	path, err := filepath.Abs(t.configFile)
	if err != nil {
		return fmt.Errorf("find the config: %w", err)
	}
	t.configFile = path
	if t.plan != "" {
		if t.plan, err = filepath.Abs(t.plan); err != nil {
			return fmt.Errorf("find the plan: %w", err)
		}
	}
	if _, err := os.Stat(t.configFile); errors.Is(err, fs.ErrNotExist) {
		if t.noConfig {
			t.configFile = ""
			return nil
		}
		return fmt.Errorf("the stack %s has no config: there is no file %s, want one like Pulumi.dev.yaml", t.name, t.configFile)
	} else if err != nil {
		return fmt.Errorf("read the config: %w", err)
	}
	return nil
}

func stackCommand(use, short string, do func(h home.Home, t *target) error) *cobra.Command {
	var t target
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		return onStack(&t, func(h home.Home) error { return do(h, &t) })
	}}
	t.flags(cmd)
	switch use {
	case "preview":
		cmd.Flags().StringVar(&t.plan, "save-plan", "", "write what would be done to this file")
	case "up":
		cmd.Flags().StringVar(&t.plan, "plan", "", "do what preview has saved in this file, or stop")
		cmd.Flags().IntVar(&t.port, "port", 0, "the port on 127.0.0.1 (default: the stack's last one, or the first from 8080 that no other stack has)")
	}
	return cmd
}

func upCommand() *cobra.Command {
	return stackCommand("up", "install, build and start what is missing, then pulumi up", up)
}

func previewCommand() *cobra.Command {
	return stackCommand("preview", "pulumi preview --diff", func(h home.Home, t *target) error {
		pid, err := start(h)
		if err != nil {
			return err
		}
		return inside(new(step.Step), h, pid, t, "preview")
	})
}

func destroyCommand() *cobra.Command {
	return stackCommand("destroy", "pulumi destroy", func(h home.Home, t *target) error {
		pid, err := start(h)
		if err != nil {
			return err
		}
		if err := inside(new(step.Step), h, pid, t, "destroy"); err != nil {
			return err
		}
		return node.Connect(h).RemoveForward(t.name)
	})
}

// home is the checkout, once the machine and the request are found fit.
func (t *target) home() (home.Home, error) {
	h, err := home.Find()
	if err == nil {
		err = machine.Check(h)
	}
	if err == nil {
		err = t.check(h)
	}
	return h, err
}

// onStack checks the machine and the request before anything is touched, and
// works on the stack when no other command does.
func onStack(t *target, do func(h home.Home) error) error {
	h, err := t.home()
	if err != nil {
		return err
	}
	whole, err := h.Lock("node", syscall.LOCK_SH)
	if err != nil {
		return err
	}
	defer whole.Close()
	own, err := h.Lock("stack "+t.name, syscall.LOCK_EX)
	if err != nil {
		return err
	}
	defer own.Close()
	return do(h)
}

// settingUp does what only one command may do at a time, whichever stack it is about.
func settingUp(h home.Home, do func(lock *os.File) error) error {
	lock, err := h.Lock("setup", syscall.LOCK_EX)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := home.Inherit(lock); err != nil {
		return err
	}
	return do(lock)
}

// start brings the machine to where a stack can be deployed, and returns the node's first process.
func start(h home.Home) (pid int, err error) {
	err = settingUp(h, func(lock *os.File) error {
		pid, err = startLocked(h, lock, nil)
		return err
	})
	return pid, err
}

// startLocked gets what is missing, all at the same time, and the images that are wanted with it; then it starts the node.
func startLocked(h home.Home, lock *os.File, wanted []images.Image) (int, error) {
	for _, dir := range []string{h.Path("logs"), h.Path("images"), h.Cache("bin")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return 0, fmt.Errorf("make %s: %w", dir, err)
		}
	}
	err := tools.AtOnce(
		func() error { return tools.Get(h) },
		func() error {
			if err := tools.Install(h, "up"); err != nil {
				return err
			}
			return tools.AtOnce(
				func() error { return tools.Trixie(h) },
				func() error { return images.Store{Home: h}.Prepare(wanted) })
		})
	if err != nil {
		return 0, err
	}
	if err := tools.Plugins(h); err != nil {
		return 0, err
	}
	if err := deploy.Prepare(h); err != nil {
		return 0, err
	}
	pid, err := node.PID(h)
	if err != nil || pid != 0 {
		return pid, err
	}
	if err := step.Run("start the node", func(*step.Step) error { return node.Start(h, lock) }); err != nil {
		return 0, err
	}
	if pid, err = node.PID(h); err != nil {
		return 0, err
	}
	return pid, images.Store{Home: h, PID: pid}.EnsurePause()
}

func up(h home.Home, t *target) error {
	begun := time.Now()
	defer func() { step.Sum(begun) }()
	var pid int
	var forward node.Forward
	err := settingUp(h, func(lock *os.File) (err error) {
		_, own, err := imagesFor(h, t)
		if err != nil {
			return err
		}
		if pid, err = startLocked(h, lock, own); err != nil {
			return err
		}
		if err = ensureImages(h, pid, t); err != nil {
			return err
		}
		forward, err = reservePort(h, t)
		return err
	})
	if err != nil {
		return err
	}
	if err := step.Run("pulumi up", func(s *step.Step) error { return inside(s, h, pid, t, "up") }); err != nil {
		return err
	}
	site, err := findSite(h, pid, t.name)
	if err != nil {
		return err
	}
	forward.Target, forward.TLSTarget = net.JoinHostPort(site.address, "80"), ""
	if site.tls() {
		forward.TLSTarget = net.JoinHostPort(site.address, "443")
	}
	if err := node.Connect(h).SetForward(t.name, forward); err != nil {
		return err
	}
	if !site.tls() {
		if err := waitForAnswer(localURL(forward.Port), &http.Transport{}); err != nil {
			return err
		}
		fmt.Println(localURL(forward.Port))
		return nil
	}
	transport, err := site.transport(h, forward.Port)
	if err != nil {
		return err
	}
	if err := waitForAnswer(site.url, transport); err != nil {
		return err
	}
	fmt.Printf("%s\ncurl --cacert %s --connect-to ::127.0.0.1:%d %s\n", site.url, rootFile(h), forward.Port, site.url)
	return nil
}

// waitForAnswer waits for the pods of a stack that was up before the node was started: an up that changes nothing doesn't.
func waitForAnswer(url string, transport http.RoundTripper) error {
	client := http.Client{Transport: transport, Timeout: 5 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		answer, err := client.Get(url)
		if err == nil {
			return answer.Body.Close()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the stack is up, and doesn't answer: %w", err)
		}
	}
}

// reservePort opens the stack's port before anything is deployed: a port in use is no reason to stop halfway.
func reservePort(h home.Home, t *target) (node.Forward, error) {
	s, err := node.Connect(h).Status()
	if err != nil {
		return node.Forward{}, err
	}
	f, known := s.Forwards[t.name]
	switch {
	case t.port != 0:
		f.Port = t.port
	case !known:
		taken := map[int]bool{}
		for _, other := range s.Forwards {
			taken[other.Port] = true
		}
		for f.Port = 8080; taken[f.Port]; f.Port++ {
		}
	}
	return f, node.Connect(h).SetForward(t.name, f)
}

// stackImages is what of a stack's config names images.
type stackImages struct {
	Config map[string]yaml.Node `yaml:"config"`
}

// imagesOf reads the images that a stack config names, by tier.
func imagesOf(file string) (map[string]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the config: %w", err)
	}
	var s stackImages
	if err := yaml.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("%s is not a stack config: %w", file, err)
	}
	found := map[string]string{}
	for tier, key := range imageKeys {
		part := map[string]any{}
		value := s.Config["threetier:"+tier]
		// What isn't an object here is the program's to refuse, with all else that is wrong.
		if err := value.Decode(&part); err != nil {
			continue
		}
		if image, isText := part[key].(string); isText && image != "" {
			found[tier] = image
		}
	}
	return found, nil
}

// imageKeys are the keys that name an image, by the part of the stack config that has them.
var imageKeys = map[string]string{"backend": "image", "frontend": "image", "nginx": "image", "database": "clientImage"}

// imagesFor are the images that a stack wants, by tier, and of them those that the checkout's own stack configs name and
// that have a Dockerfile here.
func imagesFor(h home.Home, t *target) (wanted map[string]string, own []images.Image, err error) {
	wanted, err = imagesOf(t.configFile)
	if err != nil {
		return nil, nil, err
	}
	defaults := map[string]string{}
	for _, tier := range []string{"nginx", "database"} {
		if defaults[tier], err = defaultImage(h, tier); err != nil {
			return nil, nil, err
		}
		wanted[tier] = cmp.Or(wanted[tier], defaults[tier])
	}
	dirs := map[string]string{
		"backend": h.Deployed("apps/backend"), "frontend": h.Deployed("apps/frontend"),
		"nginx": h.Source("local/images/nginx"), "database": h.Source("local/images/psql"),
	}
	for _, tier := range []string{"database", "nginx", "frontend", "backend"} {
		if wanted[tier] == "" {
			continue
		}
		isOwn, err := ownImage(h, tier, wanted[tier], defaults)
		if err != nil {
			return nil, nil, err
		}
		if _, err := os.Stat(filepath.Join(dirs[tier], "Dockerfile")); err == nil && isOwn {
			own = append(own, images.Image{Name: wanted[tier], Dir: dirs[tier]})
		}
	}
	return wanted, own, nil
}

// ensureImages builds and loads the checkout's own images, and refuses any other that isn't loaded.
func ensureImages(h home.Home, pid int, t *target) error {
	wanted, own, err := imagesFor(h, t)
	if err != nil {
		return err
	}
	store := images.Store{Home: h, PID: pid}
	if t.rebuilt, err = store.Ensure(own); err != nil {
		return err
	}
	loaded, err := store.Loaded()
	if err != nil {
		return err
	}
	for tier, image := range wanted {
		name, err := images.Normal(image)
		if err != nil {
			return fmt.Errorf("threetier:%s.%s: %w", tier, imageKeys[tier], err)
		}
		if slices.Contains(loaded, name) || pulled(h, name) {
			continue
		}
		// The archive of an image that was pulled by digest has its tag alone.
		if tag, err := images.Normal(strings.Split(image, "@")[0]); err == nil && slices.Contains(loaded, tag) {
			if err := store.Tag(tag, name); err != nil {
				return err
			}
			continue
		}
		return fmt.Errorf("threetier:%s.%s is %s, which is neither built here nor loaded: load its archive with bin/local load FILE",
			tier, imageKeys[tier], image)
	}
	return nil
}

// pulled says whether the node knows how to reach an image's registry.
func pulled(h home.Home, name string) bool {
	registry, _, _ := strings.Cut(name, "/")
	_, err := os.Stat(h.Path("node/registries", registry, "hosts.toml"))
	return err == nil
}

var theDefault = regexp.MustCompile(`Default: (\S+)\.$`)

// defaultImage is read where users read it: in the schema of the stack config.
func defaultImage(h home.Home, tier string) (string, error) {
	const path = "docs/config.schema.json"
	data, err := os.ReadFile(h.Deployed(path))
	if err != nil {
		return "", fmt.Errorf("read the schema of the stack config: %w", err)
	}
	type schema struct {
		Description string
		Properties  map[string]json.RawMessage
	}
	var at schema
	for _, key := range []string{"", "config", "threetier:" + tier, imageKeys[tier]} {
		if key != "" {
			data = at.Properties[key]
		}
		at = schema{}
		if err := json.Unmarshal(data, &at); err != nil {
			return "", fmt.Errorf("find %q in %s: %w", key, path, err)
		}
	}
	found := theDefault.FindStringSubmatch(at.Description)
	if found == nil {
		return "", fmt.Errorf("%s describes threetier:%s.%s as %q, want its default there", path, tier, imageKeys[tier], at.Description)
	}
	return found[1], nil
}

// ownImage says whether an image is one that the checkout's own configs give to this tier.
func ownImage(h home.Home, tier, image string, defaults map[string]string) (bool, error) {
	if byDefault, has := defaults[tier]; has {
		return image == byDefault, nil
	}
	configs, err := filepath.Glob(h.Deployed("Pulumi.*.yaml"))
	if err != nil {
		return false, fmt.Errorf("list the stack configs: %w", err)
	}
	for _, c := range configs {
		named, err := imagesOf(c)
		if err != nil {
			return false, err
		}
		if named[tier] == image {
			return true, nil
		}
	}
	return false, nil
}

// inside runs Pulumi where the cluster and the databases can be reached: in the node's namespaces.
func inside(s *step.Step, h home.Home, pid int, t *target, verb string) error {
	cmd := node.Command(h, pid, h.Bin("local"), "deploy", verb, "--stack", t.name, "--config-file", t.configFile, "--plan", t.plan, "--rebuilt", strings.Join(t.rebuilt, ","))
	cmd.Env = append(cmd.Env, deploy.Mark(t.name))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	// An interrupt from the keyboard reaches the whole group: the engine finishes what it has begun, and this waits.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt)
	defer signal.Stop(signals)
	err := cmd.Run()
	s.Ran(cmd)
	return exitAs(err)
}

func deployCommand() *cobra.Command {
	var t target
	cmd := &cobra.Command{Use: "deploy up|preview|destroy|encrypt", Hidden: true, Args: cobra.ExactArgs(1), RunE: func(_ *cobra.Command, args []string) error {
		h, err := home.Find()
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		// An interrupt from the keyboard reaches Pulumi too, which ends in its own time.
		signal.Notify(make(chan os.Signal, 1), os.Interrupt)
		s, err := deploy.Open(ctx, h, t.name, t.configFile)
		if err != nil {
			return err
		}
		switch args[0] {
		case "up":
			if err := s.Up(ctx, t.plan); err != nil {
				return err
			}
			return s.Restart(ctx, t.rebuilt)
		case "preview":
			return s.Preview(ctx, t.plan)
		case "destroy":
			return s.Destroy(ctx)
		case "encrypt":
			secure, err := s.Encrypt(ctx, os.Stdin)
			if err == nil {
				fmt.Println("secure: " + secure)
			}
			return err
		}
		return fmt.Errorf("deploy %q, want up, preview, destroy or encrypt", args[0])
	}}
	t.flags(cmd)
	cmd.Flags().StringVar(&t.plan, "plan", "", "the plan's file")
	cmd.Flags().StringSliceVar(&t.rebuilt, "rebuilt", nil, "the images that were built again under the same name")
	return cmd
}
