package rds

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"threetier/local/internal/account/state"
)

// smallest are the variables of the smallest instance there is, to try a formula with.
var smallest = map[string]float64{
	"AllocatedStorage": 20 << 30, "DBInstanceClassMemory": 1 << 30, "DBInstanceVCPU": 2, "EndPointPort": 5432, "TrueIfReplica": 0,
}

// variables are what a formula in a parameter can use.
func variables(rec *state.Record) map[string]float64 {
	replica := 0.0
	if rec.Instance.Source != "" {
		replica = 1
	}
	return map[string]float64{
		"AllocatedStorage":      float64(state.Number(rec.Inputs, "allocatedStorage")) * (1 << 30),
		"DBInstanceClassMemory": float64(classMemory(state.Text(rec.Inputs, "instanceClass"))),
		"DBInstanceVCPU":        2,
		"EndPointPort":          float64(rec.Instance.Port),
		"TrueIfReplica":         replica,
	}
}

var isFormula = regexp.MustCompile(`^(GREATEST|LEAST|SUM)\(|^\{`)

// evaluate works out what RDS allows in a parameter's value: {DBInstanceClassMemory/32768}, LEAST({…},5000), GREATEST
// and SUM. Any other value stays as it is.
func evaluate(value string, variables map[string]float64) (string, error) {
	if !isFormula.MatchString(value) {
		return value, nil
	}
	f := formula{rest: strings.ReplaceAll(value, " ", ""), variables: variables}
	result, err := f.term()
	if err == nil && f.rest != "" {
		err = fmt.Errorf("%q is too much", f.rest)
	}
	return strconv.FormatInt(int64(result), 10), err
}

// formula is what of an expression is still to be read.
type formula struct {
	rest      string
	variables map[string]float64
}

func (f *formula) take(token string) bool {
	rest, found := strings.CutPrefix(f.rest, token)
	f.rest = rest
	return found
}

// term is a function of terms, an expression in braces, or a number.
func (f *formula) term() (float64, error) {
	for name, join := range map[string]func(a, b float64) float64{
		"LEAST(":    func(a, b float64) float64 { return min(a, b) },
		"GREATEST(": func(a, b float64) float64 { return max(a, b) },
		"SUM(":      func(a, b float64) float64 { return a + b },
	} {
		if f.take(name) {
			return f.arguments(join)
		}
	}
	if f.take("{") {
		result, err := f.product()
		if err == nil && !f.take("}") {
			err = fmt.Errorf("} is missing before %q", f.rest)
		}
		return result, err
	}
	return f.operand()
}

func (f *formula) arguments(join func(a, b float64) float64) (float64, error) {
	result, err := f.term()
	for err == nil && f.take(",") {
		var next float64
		if next, err = f.term(); err == nil {
			result = join(result, next)
		}
	}
	if err == nil && !f.take(")") {
		err = fmt.Errorf(") is missing before %q", f.rest)
	}
	return result, err
}

// product is read from left to right: RDS has only * and / here.
func (f *formula) product() (float64, error) {
	result, err := f.operand()
	for err == nil {
		var next float64
		switch {
		case f.take("*"):
			next, err = f.operand()
			result *= next
		case f.take("/"):
			if next, err = f.operand(); err == nil && next == 0 {
				err = errors.New("it divides by 0")
			}
			result /= next
		default:
			return result, nil
		}
	}
	return 0, err
}

var operandPattern = regexp.MustCompile(`^([0-9]+|[A-Za-z]+)`)

func (f *formula) operand() (float64, error) {
	token := operandPattern.FindString(f.rest)
	f.rest = f.rest[len(token):]
	if n, err := strconv.ParseFloat(token, 64); err == nil {
		return n, nil
	}
	if v, known := f.variables[token]; known {
		return v, nil
	}
	return 0, fmt.Errorf("%q is no variable of RDS", token)
}
