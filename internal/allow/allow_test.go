package allow_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"threetier/internal/allow"
	"threetier/internal/constraint"
	"threetier/internal/keys"
)

func TestExceptionThatNothingNeedsIsRefused(t *testing.T) {
	list := allow.List{"b": "why", "a": "why too"}
	assert.Empty(t, list.Others("it isn't", "a", "b", "c"))
	assert.EqualError(t, list.Others("it isn't", "c").Err(), "allow.a is \"why too\", want none: it isn't\nallow.b is \"why\", want none: it isn't")
	assert.EqualError(t, list.Unneeded("it isn't", "b", "c").Err(), `allow.b is "why", want none: it isn't`)
}

func TestExceptionHasAKnownNameAndAReason(t *testing.T) {
	list := allow.List{"a": " ", "z": "why"}
	row := list.Key(constraint.Text{OneOf: []string{"a", "b"}}).Was("except", "{ a: the reason }").Doc("")
	assert.EqualError(t, keys.Table{row}.Problems().Err(), "allow.a is \" \", want a reason\nallow is \"z\", want a or b")
	assert.Equal(t, "allow: { a: the reason }", keys.Table{row}.Gone("except"))
	assert.Empty(t, keys.Table{row}.Gone("allow"))
}
