// Package images gives the local node its container images. Nothing is pulled:
// each is built here from a Dockerfile, or loaded from an archive, under the
// name that the stack config gives it.
package images

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"threetier/local/internal/home"
	"threetier/local/internal/node"
	"threetier/local/internal/stamp"
	"threetier/local/internal/step"
	"threetier/local/internal/tools"
)

// Image is one that is built from a Dockerfile in the checkout.
type Image struct {
	// Name is the image's, as the stack config gives it.
	Name string
	// Dir holds the Dockerfile.
	Dir string
}

// Store builds and loads the images of a running node.
type Store struct {
	Home home.Home
	// PID is the node's first process.
	PID int
}

// base is a Dockerfile's image that is made here, of Debian's packages.
var base = regexp.MustCompile(`(?m)^FROM (?:docker\.io/library/)?debian:(bookworm|trixie)-slim\b`)

// Normal is the name by which a node looks up an image: nginx:1 is docker.io/library/nginx:1, and beside a digest no tag counts.
func Normal(name string) (string, error) {
	ref, err := reference.ParseDockerRef(name)
	if err != nil {
		return "", fmt.Errorf("image %q is not a valid name: %w", name, err)
	}
	return ref.String(), nil
}

// tagged is a name with a tag for one with a digest. No build and no archive has the digest that a registry gave to an
// image of that name.
func tagged(name string) string {
	repository, digest, _ := strings.Cut(name, "@")
	if digest == "" {
		return name
	}
	return repository + ":" + strings.ReplaceAll(digest, ":", "-")
}

// Loaded lists the full names of the images that pods can use.
func (s Store) Loaded() ([]string, error) {
	out, err := s.ctr("images", "ls", "-q").Output()
	if err != nil {
		return nil, fmt.Errorf("list the node's images: %w", err)
	}
	return strings.Fields(string(out)), nil
}

// Load imports docker- or OCI-archives, and returns the names that are new.
func (s Store) Load(files ...string) error {
	for _, f := range files {
		path, err := filepath.Abs(f)
		if err != nil {
			return fmt.Errorf("find %s: %w", f, err)
		}
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("find the archive: %w", err)
		}
		cmd := s.ctr("images", "import", path)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s can't be loaded, want a docker- or OCI-archive, as docker save writes it: %s", f, strings.TrimSpace(string(out)))
		}
	}
	return nil
}

// Unload removes images by name, with their content where they have no other name.
func (s Store) Unload(names ...string) error {
	for _, given := range names {
		name, err := Normal(given)
		if err != nil {
			return err
		}
		digests, err := s.digests()
		if err != nil {
			return err
		}
		digest := digests[name]
		if digest == "" {
			return fmt.Errorf("the image %s isn't loaded", name)
		}
		remove, shared := []string{name}, false
		for other, its := range digests {
			switch {
			case other == name || its != digest:
			case strings.HasPrefix(other, "sha256:"):
				remove = append(remove, other) // containerd's own name for it
			default:
				shared = true
			}
		}
		if shared {
			remove = remove[:1]
		}
		if out, err := s.ctr(append([]string{"images", "rm"}, remove...)...).CombinedOutput(); err != nil {
			return fmt.Errorf("remove %s: %w: %s", name, err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}

// digests are those of the loaded images, by name.
func (s Store) digests() (map[string]string, error) {
	out, err := s.ctr("images", "ls").Output()
	if err != nil {
		return nil, fmt.Errorf("list the node's images: %w", err)
	}
	digests := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if columns := strings.Fields(line); len(columns) > 2 {
			digests[columns[0]] = columns[2]
		}
	}
	return digests, nil
}

func (s Store) ctr(args ...string) *exec.Cmd {
	all := []string{"ctr", "--address", s.Home.Path("run/containerd/containerd.sock"), "--namespace", "k8s.io"}
	return node.Command(s.Home, s.PID, append(all, args...)...)
}

// wanted is the image's whole name, and the stamp of its sources.
func (i Image) wanted() (name, want string, err error) {
	if name, err = Normal(i.Name); err != nil {
		return "", "", err
	}
	want, err = stamp.Of(i.Dir, product)
	return name, want, err
}

// Ensure builds and loads what is missing, or is no longer what its sources
// say. An image that somebody loaded under the same name is theirs, and stays.
// It returns the names that were loaded before, with other content.
func (s Store) Ensure(list []Image) (rebuilt []string, err error) {
	loaded, err := s.Loaded()
	if err != nil {
		return nil, err
	}
	for _, image := range list {
		name, want, err := image.wanted()
		if err != nil {
			return nil, err
		}
		stampFile := s.stampFile(name)
		have, err := os.ReadFile(stampFile)
		present := slices.Contains(loaded, name)
		if present && (err != nil || string(have) == want) {
			continue
		}
		what := "build the image "
		if made[name] {
			what = "load the image "
		}
		if present {
			rebuilt = append(rebuilt, name)
			fmt.Fprintf(os.Stderr, "  %s has changed\n", image.Dir)
		}
		if err := step.Run(what+name, func(part *step.Step) error { return s.build(part, name, image.Dir) }); err != nil {
			return rebuilt, err
		}
		if err := os.WriteFile(stampFile, []byte(want), 0o600); err != nil {
			return rebuilt, fmt.Errorf("note the build of %s: %w", name, err)
		}
	}
	return rebuilt, nil
}

// Prepare builds what Ensure will load: it needs no node.
func (s Store) Prepare(list []Image) error {
	for _, image := range list {
		name, want, err := image.wanted()
		if err != nil {
			return err
		}
		if have, err := os.ReadFile(s.stampFile(name)); err == nil && string(have) == want {
			continue
		}
		if err := step.Run("build the image "+name, func(part *step.Step) error { return s.make(part, name, image.Dir) }); err != nil {
			return err
		}
	}
	return nil
}

func (s Store) stampFile(name string) string {
	return s.Home.Path("images", strings.NewReplacer("/", "_", ":", "_").Replace(name))
}

// EnsurePause builds the image that every pod begins with.
func (s Store) EnsurePause() error {
	dir := s.Home.Path("images", "pause-context")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the pause image's folder: %w", err)
	}
	binary, err := os.ReadFile(s.Home.Bin("pause"))
	if err != nil {
		return fmt.Errorf("read the pause program: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pause"), binary, 0o755); err != nil {
		return fmt.Errorf("copy the pause program: %w", err)
	}
	dockerfile := "FROM scratch\nCOPY pause /pause\nENTRYPOINT [\"/pause\"]\n"
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o600); err != nil {
		return fmt.Errorf("write the pause image's Dockerfile: %w", err)
	}
	_, err = s.Ensure([]Image{{Name: node.PauseImage, Dir: dir}})
	return err
}

// made holds the images that this command has built.
var made = map[string]bool{}

// make builds an image, once.
func (s Store) make(part *step.Step, name, dir string) error {
	if made[name] {
		return nil
	}
	dockerfile, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
	if err != nil {
		return fmt.Errorf("read the Dockerfile: %w", err)
	}
	for _, from := range base.FindAllStringSubmatch(string(dockerfile), -1) {
		if err := s.ensureBase(from[1]); err != nil {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "package.json")); err == nil {
		for _, args := range [][]string{{"npm", "ci"}, {"npm", "run", "build"}} {
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Dir = dir
			if err := part.Command(s.log("npm", dir), cmd); err != nil {
				return err
			}
		}
	}
	if err := part.Command(s.log("image", dir), s.buildah("bud", "--layers", "--isolation", "chroot", "--pull-never", "--tag", tagged(name), dir)); err != nil {
		return err
	}
	made[name] = true
	return nil
}

// build makes an image and loads it.
func (s Store) build(part *step.Step, name, dir string) error {
	if err := s.make(part, name, dir); err != nil {
		return err
	}
	archive := s.Home.Path("images", "archive.tar")
	defer func() { _ = os.Remove(archive) }()
	if err := os.RemoveAll(archive); err != nil {
		return fmt.Errorf("clear %s: %w", archive, err)
	}
	built := tagged(name)
	if err := part.Command(s.log("push", dir), s.buildah("push", built, "docker-archive:"+archive+":"+built)); err != nil {
		return err
	}
	if err := s.Load(archive); err != nil || built == name {
		return err
	}
	if err := s.Tag(built, name); err != nil {
		return err
	}
	// Unload of the one name that is left removes the content.
	if out, err := s.ctr("images", "rm", built).CombinedOutput(); err != nil {
		return fmt.Errorf("remove the name %s: %w: %s", built, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Tag gives a loaded image a second name. With a digest it is the one that pods find: nothing compares it with the content.
func (s Store) Tag(image, name string) error {
	if out, err := s.ctr("images", "tag", "--force", image, name).CombinedOutput(); err != nil {
		return fmt.Errorf("name the image %s %s: %w: %s", image, name, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// ensureBase makes the base image of a release of Debian from its packages, once.
func (s Store) ensureBase(release string) error {
	name := "docker.io/library/debian:" + release + "-slim"
	if s.buildah("inspect", "--type", "image", name).Run() == nil {
		return nil
	}
	return step.Run("build the base image "+name, func(part *step.Step) error {
		tar := s.Home.Path("images", "base.tar")
		defer func() { _ = os.Remove(tar) }()
		bootstrap := exec.Command("mmdebstrap", "--variant=minbase", tools.Unprivileged, release, tar)
		if err := part.Command(s.Home.Path("logs", "base.log"), bootstrap); err != nil {
			return err
		}
		out, err := s.buildah("from", "scratch").Output()
		if err != nil {
			return fmt.Errorf("begin the base image: %w", err)
		}
		container := strings.TrimSpace(string(out))
		for _, args := range [][]string{
			{"add", container, tar, "/"},
			{"config", "--cmd", "bash", container},
			{"commit", "--rm", container, name},
		} {
			if err := part.Command(s.Home.Path("logs", "base.log"), s.buildah(args...)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s Store) buildah(args ...string) *exec.Cmd {
	global := []string{"--root", s.Home.Cache("buildah"), "--runroot", s.Home.Cache("run", "buildah"), "--storage-driver", "overlay"}
	return exec.Command("buildah", append(global, args...)...)
}

func (s Store) log(what, dir string) string {
	return s.Home.Path("logs", what+"-"+filepath.Base(dir)+".log")
}

// product says what is installed or built into a Dockerfile's folder, or isn't part of the image.
func product(name string) bool {
	return slices.Contains([]string{"node_modules", "dist", "tests", "__pycache__", ".pytest_cache"}, name)
}
