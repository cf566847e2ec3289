// Package cloud says that this CLI opens no key in a cloud, or in a vault.
package cloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/pkg/v3/secrets"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

// Type is that of such a secrets provider in a state.
const Type = "cloud"

// NewCloudSecretsManager refuses.
func NewCloudSecretsManager(_ *workspace.ProjectStack, url string, _ bool) (secrets.Manager, error) {
	scheme, _, _ := strings.Cut(url, "://")
	return nil, fmt.Errorf("the local node has built this CLI without %s://: take a released one", scheme)
}

// NewCloudSecretsManagerFromState refuses.
func NewCloudSecretsManagerFromState(json.RawMessage) (secrets.Manager, error) {
	return nil, errors.New("the state's key is in a cloud, and the local node has built this CLI without keys there: take a released one")
}

// EditProjectStack is never called: it wants a manager.
func EditProjectStack(*workspace.ProjectStack, json.RawMessage) error { return nil }
