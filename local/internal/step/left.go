package step

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// weights are about how many seconds of CPU the long steps take on a first start. A step that isn't here is short.
var weights = map[string]float64{
	"build hyperkube":                  240,
	"build pulumi":                     90,
	"compile the program":              90,
	"build pulumi-resource-kubernetes": 60,
	"build etcd":                       30,
	"build kube-router":                20,
	"build metrics-server":             20,
	"build pulumi-language-go":         20,
	"build coredns":                    15,
}

// display shows the steps: line by line, and on a terminal what is left below them, in place.
type display struct {
	mu         sync.Mutex
	out        io.Writer
	terminal   bool
	processors float64
	start      time.Time
	left       map[string]bool // announced, and not ended
	steps      int
	running    []*Step
	ended      float64 // the weights of what has ended
}

var shown = &display{out: os.Stderr, terminal: isTerminal(os.Stderr), processors: float64(runtime.NumCPU()), start: time.Now(), left: map[string]bool{}}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// Expect announces steps, so that what is left is known before they begin.
func Expect(what ...string) {
	shown.mu.Lock()
	defer shown.mu.Unlock()
	for _, w := range what {
		shown.expect(w)
	}
}

// Forget takes back what Expect has announced.
func Forget(what string) {
	shown.mu.Lock()
	defer shown.mu.Unlock()
	if shown.left[what] {
		delete(shown.left, what)
		shown.steps--
	}
}

func (d *display) expect(what string) {
	if !d.left[what] {
		d.left[what] = true
		d.steps++
	}
}

func (d *display) begin(s *Step) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expect(s.what)
	if d.running = append(d.running, s); d.terminal && len(d.running) == 1 {
		go d.watch()
	}
	d.print("• " + s.what + " …" + d.remains())
}

func (d *display) end(s *Step, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running = slices.DeleteFunc(d.running, func(other *Step) bool { return other == s })
	delete(d.left, s.what)
	d.ended += weights[s.what]
	if err == nil {
		d.print("  " + s.what + ": " + took(time.Since(s.start), s.cpu))
	}
}

func (d *display) line(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.print(text)
}

// print writes a line, and on a terminal over the one that says what is left.
func (d *display) print(text string) {
	if d.terminal {
		text = "\r\033[K" + text
	}
	fmt.Fprintln(d.out, text)
}

// remains says how many steps are left and about how long they take, where that is worth a line.
func (d *display) remains() string {
	var left float64
	for what := range d.left {
		left += weights[what]
	}
	for _, s := range d.running {
		left -= min(time.Since(s.start).Seconds(), weights[s.what]*0.9)
	}
	// What has ended tells how fast this machine is; before, it is as fast as the one that the weights are from.
	speed := d.processors
	if elapsed := time.Since(d.start).Seconds(); d.ended >= 60 {
		speed = d.ended / elapsed
	}
	if left < 60 {
		return ""
	}
	return fmt.Sprintf(" (%d of %d steps left, about %.0f min)", len(d.left), d.steps, left/speed/60+0.5)
}

// watch rewrites the terminal's last line each second while something runs.
func (d *display) watch() {
	for range time.Tick(time.Second) {
		d.mu.Lock()
		var names []string
		for _, s := range d.running {
			names = append(names, s.what)
		}
		if remains := d.remains(); len(names) > 0 && remains != "" {
			fmt.Fprintf(d.out, "\r\033[K… %s%s", strings.Join(names, ", "), remains)
		}
		d.mu.Unlock()
		if len(names) == 0 {
			return
		}
	}
}
