package rehearse

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// columns is the width of the picture in text: a comment shows as much without scrolling.
const columns = 100

// writePicture is the picture in text, which every comment can show: an SVG can't be part of one.
func (r *Report) writePicture(b *strings.Builder) {
	if len(r.Timeline) == 0 {
		return
	}
	per := float64(len(r.Timeline)) / columns
	if per < 1 {
		per = 1
	}
	width := int(math.Ceil(float64(len(r.Timeline)) / per))
	p99, lost := make([]float64, width), make([]int, width)
	worst := 0.0
	for i, second := range r.Timeline {
		column := min(int(float64(i)/per), width-1)
		p99[column] = max(p99[column], second.P99)
		lost[column] += second.Lost
		worst = max(worst, second.P99)
	}
	marks := []rune(strings.Repeat(" ", width+24))
	for _, step := range r.Steps {
		if step.Up {
			copy(marks[min(int(step.From/per), width-1):], []rune("|"+step.Name))
		}
	}
	b.WriteString("\n```text\n")
	fmt.Fprintf(b, "         %s\n", strings.TrimRight(string(marks), " "))
	fmt.Fprintf(b, "latency  %s  p99, up to %.0f ms\n", bars(p99, worst), worst)
	line := strings.Builder{}
	for _, n := range lost {
		line.WriteString(map[bool]string{true: "x", false: "."}[n > 0])
	}
	fmt.Fprintf(b, "lost     %s  a column is %.1f s\n```\n", line.String(), per)
}

// bars are values as eighths of a character, by their square root: a peak must not flatten all others.
func bars(values []float64, most float64) string {
	levels := []rune("▁▂▃▄▅▆▇█")
	b := strings.Builder{}
	for _, value := range values {
		level := 0
		if most > 0 {
			level = int(math.Sqrt(value/most)*float64(len(levels)-1) + 0.5)
		}
		b.WriteRune(levels[level])
	}
	return b.String()
}

// The SVG's measures, in pixels.
const (
	svgWidth, svgHeight = 800, 260
	plotLeft, plotRight = 56, 744
	plotTop, plotBottom = 40, 220
)

// svgStyle follows the reader's theme.
const svgStyle = `<style>
text { font: 11px system-ui, sans-serif; fill: #57606a }
.axis { stroke: #d0d7de } .step { stroke: #8c959f; stroke-dasharray: 3 3 } .up { fill: #8c959f; opacity: .12 }
.rate { stroke: #0969da; fill: none; stroke-width: 1.5 } .p99 { stroke: #bc4c00; fill: none; stroke-width: 1.5 } .lost { fill: #cf222e }
.rate-text { fill: #0969da } .p99-text { fill: #bc4c00 } .lost-text { fill: #cf222e }
@media (prefers-color-scheme: dark) {
text { fill: #8d96a0 } .axis { stroke: #3d444d } .step { stroke: #656c76 }
.rate { stroke: #58a6ff } .p99 { stroke: #f0883e } .lost { fill: #ff7b72 }
.rate-text { fill: #58a6ff } .p99-text { fill: #f0883e } .lost-text { fill: #ff7b72 }
}
</style>
`

// SVG is the picture: answered requests per second, the latency of each second's slowest, lost requests, and the steps.
func (r *Report) SVG() string {
	seconds := max(1, len(r.Timeline))
	mostRate, worst := 1.0, 1.0
	for _, second := range r.Timeline {
		mostRate, worst = max(mostRate, float64(second.Sent)), max(worst, second.P99)
	}
	x := func(at float64) float64 { return plotLeft + at/float64(seconds)*(plotRight-plotLeft) }
	y := func(share float64) float64 { return plotBottom - share*(plotBottom-plotTop) }
	b := &strings.Builder{}
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n", svgWidth, svgHeight, svgWidth, svgHeight)
	fmt.Fprintf(b, "<title>Requests and latency during the rehearsal of %s</title>\n%s", html.EscapeString(r.Stack), svgStyle)
	for i, step := range r.Steps {
		if !step.Up {
			continue
		}
		fmt.Fprintf(b, `<rect class="up" x="%.1f" y="%d" width="%.1f" height="%d"/>`+"\n", x(step.From), plotTop, x(step.To)-x(step.From), plotBottom-plotTop)
		for _, at := range []float64{step.From, step.To} {
			fmt.Fprintf(b, `<line class="step" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`+"\n", x(at), plotTop, x(at), plotBottom)
		}
		fmt.Fprintf(b, `<text x="%.1f" y="%d">%s</text>`+"\n", x(step.From), plotTop-8+i%2, html.EscapeString(step.Name))
	}
	fmt.Fprintf(b, `<line class="axis" x1="%d" y1="%d" x2="%d" y2="%d"/>`+"\n", plotLeft, plotBottom, plotRight, plotBottom)
	var rate, p99 strings.Builder
	for i, second := range r.Timeline {
		at := x(float64(i) + 0.5)
		fmt.Fprintf(&rate, "%.1f,%.1f ", at, y(float64(second.Sent-second.Lost)/mostRate))
		fmt.Fprintf(&p99, "%.1f,%.1f ", at, y(math.Sqrt(second.P99/worst)))
		if second.Lost > 0 {
			fmt.Fprintf(b, `<circle class="lost" cx="%.1f" cy="%d" r="3"><title>%d lost</title></circle>`+"\n", at, plotBottom, second.Lost)
		}
	}
	fmt.Fprintf(b, `<polyline class="rate" points="%s"/>`+"\n", strings.TrimSpace(rate.String()))
	fmt.Fprintf(b, `<polyline class="p99" points="%s"/>`+"\n", strings.TrimSpace(p99.String()))
	fmt.Fprintf(b, `<text class="rate-text" x="4" y="%d">%.0f/s</text>`+"\n", plotTop+4, mostRate)
	fmt.Fprintf(b, `<text class="p99-text" x="%d" y="%d">%.0f ms</text>`+"\n", plotRight+4, plotTop+4, worst)
	fmt.Fprintf(b, `<text x="%d" y="%d">0 s</text><text x="%d" y="%d" text-anchor="end">%d s</text>`+"\n", plotLeft, plotBottom+16, plotRight, plotBottom+16, seconds)
	fmt.Fprintf(b, `<text class="rate-text" x="%d" y="%d">answered requests per second</text><text class="p99-text" x="%d" y="%d">p99 latency, by its square root</text><text class="lost-text" x="%d" y="%d">● lost requests</text>`+"\n</svg>\n",
		plotLeft, svgHeight-8, plotLeft+190, svgHeight-8, plotLeft+400, svgHeight-8)
	return b.String()
}
