// Package images moves images between stack configs. promote gives a stack the images that another one runs; pin puts the
// digest beside each tag; set puts given images in. They change nothing else in the file, and print what they change.
// renew gives the images that no stack config names the digests that their tags have now.
package images

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/name"

	"threetier/components/app/pods"
	"threetier/gate/project"
)

// Run runs one of the commands, with its flags.
func Run(out io.Writer, args []string) error {
	flags := flag.NewFlagSet("images", flag.ContinueOnError)
	root := flags.String("root", ".", "the project's folder")
	from := flags.String("from", "", "promote: the stack whose images are taken")
	to := flags.String("to", "", "promote: the stack that gets them")
	stack := flags.String("stack", "", "pin, set: the stack whose config changes")
	move := flags.Bool("move", false, "set: the images may be of another repository than the ones before")
	if len(args) == 0 {
		return errors.New("the command is missing, want promote, pin, set or renew")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	switch args[0] {
	case "promote":
		return promote(out, *root, *from, *to)
	case "pin":
		return change(out, *root, *stack, pinned)
	case "set":
		return set(out, *root, *stack, flags.Args(), *move)
	case "renew":
		return renew(out, *root)
	}
	return fmt.Errorf("the command is %s, want promote, pin, set or renew", args[0])
}

// set puts in the images of a build: backend=registry/name:tag@sha256:…
func set(out io.Writer, root, stack string, given []string, move bool) error {
	_, images, err := read(root, stack, "the stack")
	if err != nil {
		return err
	}
	refs := map[string]string{}
	var problems []error
	for _, each := range given {
		part, ref, _ := strings.Cut(each, "=")
		key := part + ".image"
		at := slices.IndexFunc(images, func(image project.Image) bool { return image.Key == key })
		switch {
		case !strings.Contains(ref, "@sha256:") || !pods.Image.Accepts(ref):
			problems = append(problems, fmt.Errorf("%s is %q, want an image with a digest", part, ref))
		case at < 0:
			problems = append(problems, fmt.Errorf("threetier:%s of %s is missing, want an image that can be replaced", key, stack))
		case repository(ref) == "" || !move && repository(ref) != repository(images[at].Ref):
			problems = append(problems, fmt.Errorf("threetier:%s of %s is %s, want an image of the repository %s, before others of it are put in",
				key, stack, images[at].Ref, repository(ref)))
		}
		refs[key] = ref
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	return change(out, root, stack, func(image project.Image) (string, error) {
		return cmp.Or(refs[image.Key], image.Ref), nil
	})
}

// repository is the image's name without tag and digest; empty where it is no image's.
func repository(ref string) string {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return ""
	}
	return parsed.Context().Name()
}

// promote copies digests: a tag may mean something else by the time that the other stack is deployed.
func promote(out io.Writer, root, from, to string) error {
	_, images, err := read(root, from, "FROM")
	if err != nil {
		return err
	}
	refs := map[string]string{}
	var problems []error
	for _, image := range images {
		if !strings.Contains(image.Ref, "@sha256:") {
			problems = append(problems, fmt.Errorf("threetier:%s of %s is %s, want a digest: make pin STACK=%s", image.Key, from, image.Ref, from))
		}
		refs[image.Key] = image.Ref
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	return change(out, root, to, func(image project.Image) (string, error) {
		return cmp.Or(refs[image.Key], image.Ref), nil
	})
}

// pinned is the image with the digest that its tag has now. The tag stays, for whoever reads it.
func pinned(image project.Image) (string, error) {
	if strings.Contains(image.Ref, "@") {
		return image.Ref, nil
	}
	digest, err := crane.Digest(image.Ref)
	if err != nil {
		return "", fmt.Errorf("threetier:%s is %s, want an image in its registry: %w", image.Key, image.Ref, err)
	}
	return image.Ref + "@" + digest, nil
}

// defaults names the images of those who name none; in it, a FROM line's tag and digest, and the day of the digests.
const defaults = "components/app/images/Dockerfile"

var (
	fromLine = regexp.MustCompile(`(?m)^FROM ([^\s@]+)(@\S+)?`)
	asOf     = regexp.MustCompile(`\b\d{4}-\d\d-\d\d\b`)
)

// renew writes the file once every image is known. The day is renewed where no digest is: they are still the newest.
func renew(out io.Writer, root string) error {
	text, err := os.ReadFile(filepath.Join(root, defaults))
	if err != nil {
		return fmt.Errorf("read the default images: %w", err)
	}
	var lines bytes.Buffer
	var problems []error
	renewed := fromLine.ReplaceAllStringFunc(string(text), func(line string) string {
		tag := fromLine.FindStringSubmatch(line)[1]
		digest, err := crane.Digest(tag)
		if err != nil {
			problems = append(problems, fmt.Errorf("a default image is %s, want one in its registry: %w", tag, err))
		}
		now := "FROM " + tag + "@" + digest
		if now != line {
			fmt.Fprintf(&lines, "  - %s\n  + %s\n", line, now)
		}
		return now
	})
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	renewed = asOf.ReplaceAllString(renewed, time.Now().UTC().Format(time.DateOnly))
	if err := os.WriteFile(filepath.Join(root, defaults), []byte(renewed), 0o644); err != nil {
		return fmt.Errorf("write the default images: %w", err)
	}
	if lines.Len() == 0 {
		lines.WriteString("  the digests are the newest\n")
	}
	_, err = fmt.Fprintf(out, "%s:\n%s", defaults, lines.String())
	return err
}

// change writes the stack config once every image is known.
func change(out io.Writer, root, stack string, ref func(project.Image) (string, error)) error {
	path := project.File(root, stack)
	text, images, err := read(root, stack, "the stack")
	if err != nil {
		return err
	}
	var lines bytes.Buffer
	changed, err := project.Replace(text, images, func(image project.Image) (string, error) {
		now, err := ref(image)
		if err == nil && now != image.Ref {
			fmt.Fprintf(&lines, "threetier:%s\n  - %s\n  + %s\n", image.Key, image.Ref, now)
		}
		return now, err
	})
	if err != nil {
		return err
	}
	if lines.Len() == 0 {
		_, err := fmt.Fprintf(out, "%s: nothing to change\n", filepath.Base(path))
		return err
	}
	if err := os.WriteFile(path, changed, 0o644); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s:\n%s", filepath.Base(path), lines.String())
	return err
}

func read(root, stack, what string) ([]byte, []project.Image, error) {
	text, err := os.ReadFile(project.File(root, stack))
	if err != nil {
		return nil, nil, fmt.Errorf("%s is %q, want a stack with a config: %w", what, stack, err)
	}
	images, err := project.Images(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", project.File(root, stack), err)
	}
	return text, images, nil
}
