package rehearse

import (
	"fmt"
	"math"
	"strings"
)

// columns is the width of the picture in text: a comment shows as much without scrolling.
const columns = 100

// writePicture is the picture in text, which every comment can show.
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
