package state

import (
	"errors"
	"fmt"
)

// Error is a refusal with the code and the words that AWS would use.
type Error struct {
	// Code is AWS's name for the kind of refusal, such as DBInstanceNotFound.
	Code string `json:"code"`
	// Message says what was refused and why.
	Message string `json:"message"`
}

// Error is "code: message", as the AWS SDK prints it.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

func Refuse(code, format string, values ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, values...)}
}

// AsError keeps a refusal as it is; anything else is a fault of the stand-in itself.
func AsError(err error) *Error {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal
	}
	return &Error{Code: "InternalFailure", Message: err.Error()}
}
