package tools

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"threetier/local/internal/home"
)

// Releases is the environment variable that names a mirror of the hosts of official releases, whose folders bear their
// names. The value none asks no host: everything is built.
const Releases = "THREETIER_RELEASES"

// patience is how long a host may take to answer. One that doesn't is not asked again in this run.
const patience = 3 * time.Second

// release is a file of an official release: a program, or an archive that holds it.
type release struct {
	program string
	url     string // without https://
	// sums is the release's own file of SHA-256 sums, without https://.
	sums string
}

// of fills in the version, and this machine's architecture as the release calls it.
func (r release) of(version string) release {
	fill := strings.NewReplacer("{v}", version, "{n}", strings.TrimPrefix(version, "v"), "{arch}", runtime.GOARCH,
		"{x64}", strings.Replace(runtime.GOARCH, "amd64", "x64", 1))
	r.url = fill.Replace(r.url)
	r.sums = strings.ReplaceAll(fill.Replace(r.sums), "{url}", r.url)
	return r
}

// errNoRelease is what makes a build necessary: no host, or no such file there.
var errNoRelease = errors.New("no release to be had")

// fetcher gets releases, and remembers which hosts don't answer.
type fetcher struct {
	home home.Home
	mu   sync.Mutex // one download at a time: several programs may come from one archive
	dead map[string]error
	kept map[string]string // archives by URL
	// noReleases is called where there is nothing to fetch.
	noReleases func()
}

// fetch puts a release's program at a path once its sum is right.
func (f *fetcher) fetch(r release, target string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	file, known := f.kept[r.url]
	if !known {
		file = f.home.Cache("downloads", path.Base(r.url))
		if err := f.download(r, file); err != nil {
			return err
		}
		f.kept[r.url] = file
	}
	if !strings.HasSuffix(file, "gz") {
		return install(target, func(w io.Writer) error { return copyFile(w, file) })
	}
	return install(target, func(w io.Writer) error { return extract(w, file, r.program) })
}

// download writes a file whose sum is the one that its release names.
func (f *fetcher) download(r release, file string) error {
	body, err := f.open(r.sums)
	if err != nil {
		return err
	}
	sums, err := io.ReadAll(io.LimitReader(body, 1<<20))
	if err = errors.Join(err, body.Close()); err != nil {
		return fmt.Errorf("read %s: %w", r.sums, err)
	}
	want, err := sumOf(string(sums), path.Base(r.url))
	if err != nil {
		return fmt.Errorf("%s %w", r.sums, err)
	}
	if body, err = f.open(r.url); err != nil {
		return err
	}
	defer body.Close()
	have := sha256.New()
	err = install(file, func(w io.Writer) error {
		_, err := io.Copy(w, io.TeeReader(body, have))
		return err
	})
	if err != nil {
		return fmt.Errorf("download %s: %w", r.url, err)
	}
	if sum := hex.EncodeToString(have.Sum(nil)); sum != want {
		err := fmt.Errorf("the SHA-256 sum of %s is %s, want %s as in %s: the file isn't used, and %s=none builds it instead",
			r.url, sum, want, r.sums, Releases)
		return errors.Join(err, os.Remove(file))
	}
	return nil
}

// open asks for a file. The error is errNoRelease where the host doesn't answer or has no such file.
func (f *fetcher) open(address string) (io.ReadCloser, error) {
	mirror := os.Getenv(Releases)
	if mirror == "none" {
		return nil, errNoRelease
	}
	full := "https://" + address
	if mirror != "" {
		full = strings.TrimSuffix(mirror, "/") + "/" + address
	}
	u, err := url.Parse(full)
	// The sums come from the same host: whoever can change what it sends could change both.
	if err != nil || u.Scheme != "https" && !isLoopback(u.Hostname()) {
		return nil, fmt.Errorf("%s is %q, want none, an https URL, or one of this machine", Releases, mirror)
	}
	if err := f.dead[u.Host]; err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	impatience := time.AfterFunc(patience, func() { cancel(fmt.Errorf("no answer in %v", patience)) })
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, full, nil)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", full, err)
	}
	answer, err := http.DefaultClient.Do(request)
	if !impatience.Stop() && err == nil {
		_ = answer.Body.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		f.dead[u.Host] = fmt.Errorf("%w: %s doesn't answer: %w", errNoRelease, u.Host, err)
		fmt.Fprintf(os.Stderr, "  %s doesn't answer: what it has is built\n", u.Host)
		return nil, f.dead[u.Host]
	}
	if answer.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%w: %s answers %s", errNoRelease, full, answer.Status), answer.Body.Close())
	}
	return answer.Body, nil
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// sumOf finds a file's sum: in a list of sums and names, or alone.
func sumOf(sums, name string) (string, error) {
	for line := range strings.Lines(sums) {
		fields := strings.Fields(line)
		named := len(fields) == 2 && path.Base(strings.TrimPrefix(fields[1], "*")) == name
		if (named || len(fields) == 1) && len(fields[0]) == hex.EncodedLen(sha256.Size) {
			return strings.ToLower(fields[0]), nil
		}
	}
	return "", fmt.Errorf("holds no SHA-256 sum of %s", name)
}

// install writes a program as a whole.
func install(target string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return fmt.Errorf("make the folder of %s: %w", target, err)
	}
	fresh := target + ".new"
	w, err := os.OpenFile(fresh, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return fmt.Errorf("write %s: %w", target, err)
	}
	if err := errors.Join(write(w), w.Close()); err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	return os.Rename(fresh, target)
}

func copyFile(w io.Writer, file string) error {
	r, err := os.Open(file)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(w, r)
	return err
}

// extract writes the program of an archive.
func extract(w io.Writer, archive, program string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("read %s: %w", archive, err)
	}
	for files := tar.NewReader(z); ; {
		header, err := files.Next()
		if err != nil {
			return fmt.Errorf("find %s in %s: %w", program, archive, err)
		}
		if header.Typeflag == tar.TypeReg && path.Base(header.Name) == program {
			_, err := io.Copy(w, files)
			return err
		}
	}
}

// onPath finds a program of a version that this machine has, and that says so.
func onPath(program, version string, says []string) (string, bool) {
	found, err := exec.LookPath(program)
	if err != nil || len(says) == 0 {
		return "", false
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, found, says...).CombinedOutput()
	whole := regexp.MustCompile(`(^|[^0-9.])` + regexp.QuoteMeta(strings.TrimPrefix(version, "v")) + `($|[^0-9.+-])`)
	if err != nil || !whole.Match(out) {
		return "", false
	}
	found, err = filepath.Abs(found)
	return found, err == nil
}
