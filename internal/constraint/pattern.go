package constraint

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// UpTo is the pattern of the whole numbers from 1 to a most one.
func UpTo(most int) string {
	digits := strconv.Itoa(most)
	var ways []string
	if len(digits) > 1 {
		ways = append(ways, fmt.Sprintf("[1-9][0-9]{0,%d}", len(digits)-2))
	}
	for i, digit := range digits {
		low := '0'
		if i == 0 {
			low = '1'
		}
		if digit > low {
			ways = append(ways, fmt.Sprintf("%s[%c-%c][0-9]{%d}", digits[:i], low, digit-1, len(digits)-1-i))
		}
	}
	return "(" + strings.Join(append(ways, digits), "|") + ")"
}

// AnyCase is the pattern of these words, in small and capital letters.
func AnyCase(words []string) string {
	ways := make([]string, len(words))
	for i, word := range words {
		for _, letter := range word {
			if upper := unicode.ToUpper(letter); upper != letter {
				ways[i] += fmt.Sprintf("[%c%c]", letter, upper)
			} else {
				ways[i] += string(letter)
			}
		}
	}
	return "(" + strings.Join(ways, "|") + ")"
}

// Either is the pattern of these words.
func Either(words []string) string { return "(" + strings.Join(words, "|") + ")" }
