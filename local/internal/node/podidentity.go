package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"threetier/local/internal/account"
)

// The agent of EKS Pod Identity answers where AWS's SDKs ask, on an address of the node's own.
const (
	podIdentityAddress  = "169.254.170.23"
	podIdentityAudience = "pods.eks.amazonaws.com"
)

// podIdentity is the agent: it gives a pod the credentials of the role that its service account is associated with.
func (n *node) podIdentity(ctx context.Context) error {
	listener, err := net.Listen("tcp", podIdentityAddress+":80")
	if err != nil {
		return fmt.Errorf("listen for pods that want credentials: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/credentials", func(w http.ResponseWriter, r *http.Request) {
		status, body := n.credentials(r.Context(), r.Header.Get("Authorization"))
		if status != http.StatusOK {
			logger.Printf("pod identity: %d: %s", status, body)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(body) // a caller who is gone can't be told
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// credentials asks Kubernetes whose token it is, and the account what its owner gets.
func (n *node) credentials(ctx context.Context, token string) (status int, body []byte) {
	namespace, serviceAccount, err := n.owner(ctx, token)
	if err != nil {
		return http.StatusBadRequest, []byte(err.Error())
	}
	answer, err := n.askAccount(ctx, map[string]any{"namespace": namespace, "serviceAccount": serviceAccount})
	switch {
	case err != nil:
		return http.StatusInternalServerError, []byte(err.Error())
	case answer.Error != nil && answer.Error.Code == "ResourceNotFoundException":
		return http.StatusNotFound, []byte(answer.Error.Error())
	case answer.Error != nil:
		return http.StatusForbidden, []byte(answer.Error.Error())
	}
	body, err = json.Marshal(answer.Outputs)
	if err != nil {
		return http.StatusInternalServerError, []byte(err.Error())
	}
	return http.StatusOK, body
}

// owner is the service account of a token for EKS Pod Identity.
func (n *node) owner(ctx context.Context, token string) (namespace, name string, err error) {
	if token == "" {
		return "", "", errors.New("the header Authorization is missing, want the pod's token")
	}
	review, err := n.client.AuthenticationV1().TokenReviews().Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{podIdentityAudience}},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", "", fmt.Errorf("review the token: %w", err)
	}
	account, isAccount := strings.CutPrefix(review.Status.User.Username, "system:serviceaccount:")
	if !review.Status.Authenticated || !isAccount || !slices.Contains(review.Status.Audiences, podIdentityAudience) {
		return "", "", fmt.Errorf("the token is none of a pod for %s: %s", podIdentityAudience, review.Status.Error)
	}
	namespace, name, _ = strings.Cut(account, ":")
	return namespace, name, nil
}

func (n *node) askAccount(ctx context.Context, inputs map[string]any) (*account.Response, error) {
	body, err := json.Marshal(account.Request{Inputs: inputs})
	if err != nil {
		return nil, fmt.Errorf("encode the question to the account: %w", err)
	}
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", n.home.Path("run/account.sock"))
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://account/pod-identity", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask the account for credentials: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the account for credentials: %w", err)
	}
	defer response.Body.Close()
	var answer account.Response
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("read the account's answer: %w", err)
	}
	return &answer, nil
}
