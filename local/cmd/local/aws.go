package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientauthentication "k8s.io/client-go/pkg/apis/clientauthentication/v1beta1"

	"threetier/local/internal/home"
)

// awsCommand answers `aws eks get-token`, with a token that the local API server accepts, and nothing else.
func awsCommand(args []string) error {
	if !slices.Contains(args, "eks") || !slices.Contains(args, "get-token") {
		return fmt.Errorf("aws %q is not known to the local node: it stands in for aws eks get-token alone", args)
	}
	h, err := home.Find()
	if err != nil {
		return err
	}
	token, err := os.ReadFile(h.Path("node", "token"))
	if err != nil {
		return fmt.Errorf("read the cluster's token: %w", err)
	}
	expires := metav1.NewTime(time.Now().Add(14 * time.Minute))
	return json.NewEncoder(os.Stdout).Encode(clientauthentication.ExecCredential{
		TypeMeta: metav1.TypeMeta{APIVersion: "client.authentication.k8s.io/v1beta1", Kind: "ExecCredential"},
		Status:   &clientauthentication.ExecCredentialStatus{Token: string(token), ExpirationTimestamp: &expires},
	})
}
