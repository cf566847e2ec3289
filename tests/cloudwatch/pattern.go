// Package cloudwatch decides as CloudWatch does, for the part of it that the program uses: which lines a metric filter's
// pattern matches, and which state an alarm has. What it doesn't know it refuses. The rules are those of AWS's user
// guides: "Filter pattern syntax", "Using math expressions with CloudWatch metrics" and "Configuring how CloudWatch
// alarms treat missing data".
package cloudwatch

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// longestPattern is the service's limit.
const longestPattern = 1024

// Pattern is a filter pattern for lines of JSON.
type Pattern func(document any) bool

// ParsePattern reads { $.a.b[0] = "text*" && ($.c >= 1 || $.c != 2) }.
func ParsePattern(text string) (Pattern, error) {
	inner, isJSON := strings.CutPrefix(strings.TrimSpace(text), "{")
	inner, isWhole := strings.CutSuffix(inner, "}")
	if !isJSON || !isWhole || len(text) > longestPattern {
		return nil, fmt.Errorf("pattern is %q, want { … } of at most %d letters", text, longestPattern)
	}
	p := &parser{tokens: tokens(patternToken, inner)}
	pattern, err := p.either()
	if err == nil && len(p.tokens) > 0 {
		err = fmt.Errorf("%q follows the end", p.tokens[0])
	}
	if err != nil {
		return nil, fmt.Errorf("pattern %s: %w", text, err)
	}
	return pattern, nil
}

// Matches tells whether a line is JSON that fits.
func (p Pattern) Matches(line string) bool {
	var document any
	return json.Unmarshal([]byte(line), &document) == nil && p(document)
}

var patternToken = regexp.MustCompile(`\|\||&&|[()]|!=|<=|>=|=|<|>|"[^"]*"|[^\s()=!<>&|"]+`)

func tokens(token *regexp.Regexp, text string) []string { return token.FindAllString(text, -1) }

// parser eats tokens from the front.
type parser struct{ tokens []string }

func (p *parser) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	token := p.tokens[0]
	p.tokens = p.tokens[1:]
	return token
}

func (p *parser) takes(token string) bool {
	if len(p.tokens) == 0 || p.tokens[0] != token {
		return false
	}
	p.next()
	return true
}

func (p *parser) either() (Pattern, error) {
	left, err := p.both()
	for err == nil && p.takes("||") {
		var right Pattern
		before := left
		right, err = p.both()
		left = func(document any) bool { return before(document) || right(document) }
	}
	return left, err
}

func (p *parser) both() (Pattern, error) {
	left, err := p.term()
	for err == nil && p.takes("&&") {
		var right Pattern
		before := left
		right, err = p.term()
		left = func(document any) bool { return before(document) && right(document) }
	}
	return left, err
}

func (p *parser) term() (Pattern, error) {
	if p.takes("(") {
		inner, err := p.either()
		if err == nil && !p.takes(")") {
			err = fmt.Errorf("a parenthesis isn't closed")
		}
		return inner, err
	}
	selector, operator, value := p.next(), p.next(), p.next()
	steps, err := ParseSelector(selector)
	if err != nil {
		return nil, err
	}
	matches, err := comparison(operator, value)
	return func(document any) bool {
		found := steps.In(document)
		return found != nil && matches(found)
	}, err
}

// Selector is a path into a document, as $.a.b[0].
type Selector []any

var selectorPart = regexp.MustCompile(`^(?:\.([A-Za-z0-9_-]+)|\[(\d+)\])`)

// ParseSelector reads one.
func ParseSelector(text string) (Selector, error) {
	rest, isSelector := strings.CutPrefix(text, "$")
	if !isSelector || rest == "" {
		return nil, fmt.Errorf("%q is no selector, as $.name", text)
	}
	var steps Selector
	for rest != "" {
		parts := selectorPart.FindStringSubmatch(rest)
		if parts == nil {
			return nil, fmt.Errorf("%q is no selector, as $.name[0]", text)
		}
		if parts[1] != "" {
			steps = append(steps, parts[1])
		} else {
			index, _ := strconv.Atoi(parts[2])
			steps = append(steps, index)
		}
		rest = rest[len(parts[0]):]
	}
	return steps, nil
}

// In is the text or number at the path; nil where there is none.
func (s Selector) In(document any) any {
	for _, step := range s {
		switch step := step.(type) {
		case string:
			object, _ := document.(map[string]any)
			document = object[step]
		case int:
			items, _ := document.([]any)
			if step >= len(items) {
				return nil
			}
			document = items[step]
		}
	}
	switch document.(type) {
	case string, float64:
		return document
	}
	return nil
}

// comparison is of a text, with a star at either end for any other letters, or of a number.
func comparison(operator, value string) (func(any) bool, error) {
	if number, err := strconv.ParseFloat(value, 64); err == nil {
		compare, known := numeric[operator]
		if !known {
			return nil, fmt.Errorf("%q is no comparison", operator)
		}
		return func(found any) bool {
			given, isNumber := found.(float64)
			return isNumber && compare(given, number)
		}, nil
	}
	if value == "" || operator != "=" && operator != "!=" {
		return nil, fmt.Errorf("%s %s is no comparison of a text", operator, value)
	}
	text := strings.Trim(value, `"`)
	if strings.Contains(strings.Trim(text, "*"), "*") {
		return nil, fmt.Errorf("%s has a star in its middle, where it stands for itself", value)
	}
	whole := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(text), `\*`, ".*") + "$")
	return func(found any) bool {
		given, isText := found.(string)
		return isText && whole.MatchString(given) == (operator == "=")
	}, nil
}

var numeric = map[string]func(a, b float64) bool{
	"=": func(a, b float64) bool { return a == b }, "!=": func(a, b float64) bool { return a != b },
	"<": func(a, b float64) bool { return a < b }, "<=": func(a, b float64) bool { return a <= b },
	">": func(a, b float64) bool { return a > b }, ">=": func(a, b float64) bool { return a >= b },
}
