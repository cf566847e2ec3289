package commands

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// fakeGitHub is a repository as GitHub's REST API shows it, with what a new one has. It knows the fields of each endpoint and
// refuses others: https://github.com/github/rest-api-description.
type fakeGitHub struct {
	Name, Visibility, Branch string
	Admin                    bool
	Owner                    string // User or Organization
	Plan                     string // free, team or enterprise
	TellsPlan                bool
	Older                    bool // a server that doesn't know of pinning
	Teams                    []string
	Variables                map[string]string // those of an environment begin with its name
	Environments             map[string]*environment
	Workflow                 workflowPermissions
	Permissions              permissions
	Rulesets                 map[int]*ruleset
	Labels                   map[string]label
	OwnersErrors             []map[string]any
	NoOwners                 bool
	Writes                   []string
	Last                     int
}

type workflowPermissions struct {
	Default string `json:"default_workflow_permissions"`
	Approve *bool  `json:"can_approve_pull_request_reviews"`
}

type permissions struct {
	Enabled *bool  `json:"enabled"`
	Allowed string `json:"allowed_actions,omitempty"`
	Pinned  *bool  `json:"sha_pinning_required,omitempty"`
}

type branchPolicy struct {
	Protected bool `json:"protected_branches"`
	Custom    bool `json:"custom_branch_policies"`
}

type reviewer struct {
	Type string `json:"type"`
	ID   int    `json:"id"`
}

type environment struct {
	Wait       int           `json:"wait_timer"`
	PreventOwn bool          `json:"prevent_self_review"`
	Reviewers  []reviewer    `json:"reviewers"`
	Branches   *branchPolicy `json:"deployment_branch_policy"`
	Policies   []policy
}

type policy struct {
	ID   int    `json:"id,omitempty"`
	Name string `json:"name"`
	Type string `json:"type"`
}

type variable struct {
	Name  string  `json:"name"`
	Value *string `json:"value"`
}

type label struct {
	Name        string `json:"name"`
	Color       string `json:"color"`
	Description string `json:"description"`
}

type ruleset struct {
	ID          int              `json:"id,omitempty"`
	Name        string           `json:"name"`
	Target      string           `json:"target"`
	Enforcement string           `json:"enforcement"`
	Bypass      []map[string]any `json:"bypass_actors"`
	Conditions  struct {
		Ref struct {
			Include []string `json:"include"`
			Exclude []string `json:"exclude"`
		} `json:"ref_name"`
	} `json:"conditions"`
	Rules []struct {
		Type       string          `json:"type"`
		Parameters json.RawMessage `json:"parameters,omitempty"`
	} `json:"rules"`
}

// parameters are those of a rule that GitHub wants to be told, all of them.
var parameters = map[string][]string{
	"deletion": nil, "non_fast_forward": nil,
	"pull_request": {
		"dismiss_stale_reviews_on_push", "require_code_owner_review", "require_last_push_approval",
		"required_approving_review_count", "required_review_thread_resolution",
	},
	"required_status_checks": {"required_status_checks", "strict_required_status_checks_policy"},
}

// added are those that GitHub answers although nobody set them.
var added = map[string]map[string]any{
	"pull_request":           {"allowed_merge_methods": []string{"merge", "squash", "rebase"}, "required_reviewers": []string{}},
	"required_status_checks": {"do_not_enforce_on_create": false},
}

func newGitHub() *fakeGitHub {
	yes, no := true, false
	return &fakeGitHub{
		Name: "acme/shop", Visibility: "public", Branch: "main", Admin: true, Owner: "Organization", Plan: "free", TellsPlan: true,
		Teams: []string{"maintainers"}, Variables: map[string]string{}, Environments: map[string]*environment{},
		Workflow: workflowPermissions{Default: "write", Approve: &no}, Permissions: permissions{Enabled: &yes, Allowed: "all", Pinned: &no},
		Rulesets: map[int]*ruleset{}, Labels: map[string]label{"bug": {Name: "bug", Color: "d73a4a"}},
	}
}

// ServeHTTP answers what the stub of gh asks, and notes what it changes.
func (g *fakeGitHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	path := strings.TrimPrefix(r.URL.Path, "/")
	status, answer := g.answer(r.Method, path, body)
	if r.Method != http.MethodGet {
		g.Writes = append(g.Writes, fmt.Sprintf("%s %s %d", r.Method, path, status))
	}
	if status >= 300 {
		answer = map[string]any{"message": answer}
	}
	w.WriteHeader(http.StatusOK) // the stub reads the status from the first line: a 204 could have no body
	_, _ = fmt.Fprintln(w, status)
	_ = json.NewEncoder(w).Encode(answer)
}

// ghAPI plays `gh api`: the answer goes to the standard output, and so does a refusal, with a line on the standard error.
const ghAPI = `
[ "$1" = api ] || exit 1
shift
method=GET; input=/dev/null; silent=
while [ $# -gt 0 ]; do
	case $1 in
	--method) method=$2; shift ;;
	--input) input=-; shift ;;
	--silent) silent=1 ;;
	'repos/{owner}/{repo}') path=repos/acme/shop ;;
	-*) echo "gh: unknown flag $1" >&2; exit 1 ;;
	*) path=$1 ;;
	esac
	shift
done
answer=$(curl --silent --show-error --fail --max-time 60 --request "$method" --data-binary "@$input" "$URL/$path") || exit 1
status=${answer%%
*}
body=${answer#*
}
[ -n "$silent" ] || [ "$body" = null ] || printf '%s\n' "$body"
[ "$status" -lt 300 ] || { printf 'gh: %s (HTTP %s)\n' "$(printf %s "$body" | jq --raw-output .message)" "$status" >&2; exit 1; }
`

// strictly decodes a body that may have no field that the endpoint doesn't have.
func strictly(body []byte, into any) (int, any) {
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return 422, "Invalid request. " + err.Error()
	}
	return 0, nil
}

const upgrade = "Upgrade to GitHub Pro or make this repository public to enable this feature."

func (g *fakeGitHub) answer(method, path string, body []byte) (int, any) {
	owner, _, _ := strings.Cut(g.Name, "/")
	switch path {
	case "repos/" + g.Name:
		return 200, map[string]any{
			"full_name": g.Name, "visibility": g.Visibility, "private": g.Visibility != "public", "default_branch": g.Branch,
			"owner": map[string]any{"type": g.Owner}, "permissions": map[string]any{"admin": g.Admin},
		}
	case "orgs/" + owner:
		if g.Owner != "Organization" {
			return 404, "Not Found"
		}
		if !g.TellsPlan {
			return 200, map[string]any{"login": owner}
		}
		return 200, map[string]any{"login": owner, "plan": map[string]any{"name": g.Plan}}
	}
	if team, isTeam := strings.CutPrefix(path, "orgs/"+owner+"/teams/"); isTeam {
		if !slices.Contains(g.Teams, team) {
			return 404, "Not Found"
		}
		return 200, map[string]any{"id": 7}
	}
	rest, isOurs := strings.CutPrefix(path, "repos/"+g.Name+"/")
	if !isOurs {
		return 404, "Not Found"
	}
	words := strings.Split(rest, "/")
	switch {
	case rest == "actions/permissions/workflow":
		return g.actions(method, body, &g.Workflow, &workflowPermissions{})
	case rest == "actions/permissions":
		if g.Older {
			g.Permissions.Pinned = nil
		}
		return g.actions(method, body, &g.Permissions, &permissions{})
	case words[0] == "actions" && words[1] == "variables":
		return g.variable(method, "", words[2:], body)
	case rest == "environments":
		list := []any{}
		for _, name := range slices.Sorted(maps.Keys(g.Environments)) {
			list = append(list, g.Environments[name].shown(name))
		}
		return 200, map[string]any{"total_count": len(list), "environments": list}
	case words[0] == "environments":
		return g.environment(method, words[1], words[2:], body)
	case words[0] == "labels":
		return g.label(method, words[1:], body)
	case words[0] == "rulesets":
		return g.ruleset(method, words[1:], body)
	case rest == "codeowners/errors":
		if g.NoOwners {
			return 404, "Not Found"
		}
		return 200, map[string]any{"errors": g.OwnersErrors}
	}
	return 404, "Not Found"
}

func (g *fakeGitHub) actions(method string, body []byte, state, wanted any) (int, any) {
	if method == "GET" {
		return 200, state
	}
	if status, problem := strictly(body, wanted); status != 0 {
		return status, problem
	}
	switch wanted := wanted.(type) {
	case *workflowPermissions:
		g.Workflow = *wanted
	case *permissions:
		if wanted.Enabled == nil {
			return 422, "Invalid request. \"enabled\" wasn't supplied."
		}
		g.Permissions = *wanted
	}
	return 204, nil
}

func (g *fakeGitHub) variable(method, environment string, words []string, body []byte) (int, any) {
	var given variable
	if method == "POST" || method == "PATCH" {
		if status, problem := strictly(body, &given); status != 0 {
			return status, problem
		}
		if given.Name == "" || given.Value == nil {
			return 422, "Invalid request. \"name\" and \"value\" weren't supplied."
		}
	}
	if method == "GET" && len(words) == 0 {
		list := []map[string]any{}
		for _, key := range slices.Sorted(maps.Keys(g.Variables)) {
			if name, isHere := strings.CutPrefix(key, environment+"/"); isHere {
				list = append(list, map[string]any{"name": name, "value": g.Variables[key]})
			}
		}
		return 200, map[string]any{"total_count": len(list), "variables": list}
	}
	name := given.Name
	if len(words) > 0 {
		name = words[0]
	}
	key := environment + "/" + name
	value, exists := g.Variables[key]
	switch {
	case method == "POST" && exists:
		return 409, "Already exists"
	case method != "POST" && !exists:
		return 404, "Not Found"
	case method == "GET":
		return 200, map[string]any{"name": name, "value": value}
	}
	g.Variables[key] = *given.Value
	return 201, map[string]any{}
}

func (g *fakeGitHub) environment(method, name string, words []string, body []byte) (int, any) {
	at, exists := g.Environments[name]
	if len(words) == 0 && method == "PUT" {
		return g.putEnvironment(name, body)
	}
	if !exists {
		return 404, "Not Found"
	}
	switch {
	case len(words) == 0:
		return 200, at.shown(name)
	case words[0] == "variables":
		return g.variable(method, name, words[1:], body)
	case words[0] != "deployment-branch-policies":
		return 404, "Not Found"
	case method == "GET":
		return 200, map[string]any{"total_count": len(at.Policies), "branch_policies": at.Policies}
	case method == "DELETE":
		before := len(at.Policies)
		at.Policies = slices.DeleteFunc(at.Policies, func(p policy) bool { return strconv.Itoa(p.ID) == words[1] })
		if len(at.Policies) == before {
			return 404, "Not Found"
		}
		return 204, nil
	}
	var given policy
	if status, problem := strictly(body, &given); status != 0 {
		return status, problem
	}
	if at.Branches == nil || !at.Branches.Custom {
		return 404, "Not Found"
	}
	g.Last++
	given.ID = g.Last
	at.Policies = append(at.Policies, given)
	return 200, given
}

func (e *environment) shown(name string) any {
	rules := []map[string]any{}
	if e.Wait > 0 {
		rules = append(rules, map[string]any{"type": "wait_timer", "wait_timer": e.Wait})
	}
	if len(e.Reviewers) > 0 {
		var reviewers []map[string]any
		for _, each := range e.Reviewers {
			reviewers = append(reviewers, map[string]any{"type": each.Type, "reviewer": map[string]any{"id": each.ID}})
		}
		rules = append(rules, map[string]any{"type": "required_reviewers", "prevent_self_review": e.PreventOwn, "reviewers": reviewers})
	}
	if e.Branches != nil {
		rules = append(rules, map[string]any{"type": "branch_policy"})
	}
	return map[string]any{"name": name, "protection_rules": rules, "deployment_branch_policy": e.Branches}
}

func (g *fakeGitHub) putEnvironment(name string, body []byte) (int, any) {
	var given struct {
		Wait       int           `json:"wait_timer"`
		PreventOwn bool          `json:"prevent_self_review"`
		Reviewers  []reviewer    `json:"reviewers"`
		Branches   *branchPolicy `json:"deployment_branch_policy"`
	}
	if status, problem := strictly(body, &given); status != 0 {
		return status, problem
	}
	if given.Branches != nil && given.Branches.Protected == given.Branches.Custom {
		return 422, "protected_branches and custom_branch_policies can't have the same value"
	}
	if g.Visibility == "private" && g.Plan == "free" {
		return 403, upgrade
	}
	if g.Environments[name] == nil {
		g.Environments[name] = &environment{}
	}
	if len(given.Reviewers) > 0 && g.Visibility == "private" && g.Plan != "enterprise" {
		return 422, "Failed to create the environment protection rule. Please ensure the billing plan supports the required reviewers protection rule."
	}
	at := g.Environments[name]
	at.Wait, at.PreventOwn, at.Reviewers, at.Branches = given.Wait, given.PreventOwn, given.Reviewers, given.Branches
	return 200, at.shown(name)
}

func (g *fakeGitHub) label(method string, words []string, body []byte) (int, any) {
	if len(words) > 0 {
		found, exists := g.Labels[words[0]]
		if method != "GET" || !exists {
			return 404, "Not Found"
		}
		return 200, found
	}
	var given label
	if status, problem := strictly(body, &given); status != 0 {
		return status, problem
	}
	if _, exists := g.Labels[given.Name]; exists || given.Name == "" || len(given.Color) != 6 || len(given.Description) > 100 {
		return 422, "Validation Failed"
	}
	g.Labels[given.Name] = given
	return 201, given
}

func (g *fakeGitHub) ruleset(method string, words []string, body []byte) (int, any) {
	if g.Visibility == "private" && g.Plan == "free" {
		return 403, upgrade
	}
	id := 0
	if len(words) > 0 {
		id, _ = strconv.Atoi(words[0])
		if g.Rulesets[id] == nil {
			return 404, "Not Found"
		}
	}
	if method == "GET" && id == 0 {
		list := []map[string]any{}
		for _, each := range slices.Sorted(maps.Keys(g.Rulesets)) {
			list = append(list, map[string]any{"id": each, "name": g.Rulesets[each].Name, "target": g.Rulesets[each].Target})
		}
		return 200, list
	}
	if method == "GET" {
		return 200, g.Rulesets[id]
	}
	var given ruleset
	if status, problem := strictly(body, &given); status != 0 {
		return status, problem
	}
	for _, actor := range given.Bypass {
		if actor["actor_id"] == 15368.0 {
			return 422, "Actor GitHub Actions integration must be part of the ruleset source or owner organization"
		}
	}
	for i, rule := range given.Rules {
		known, isKnown := parameters[rule.Type]
		with := map[string]any{}
		if len(rule.Parameters) > 0 && json.Unmarshal(rule.Parameters, &with) != nil || !isKnown {
			return 422, "Invalid rule " + rule.Type
		}
		if names := slices.Sorted(maps.Keys(with)); !slices.Equal(names, known) {
			return 422, fmt.Sprintf("Invalid parameters of %s: %v, want %v", rule.Type, names, known)
		}
		maps.Copy(with, added[rule.Type])
		if len(with) > 0 {
			given.Rules[i].Parameters, _ = json.Marshal(with)
		}
	}
	slices.Reverse(given.Rules)
	if id == 0 {
		g.Last++
		id = g.Last
	}
	given.ID = id
	g.Rulesets[id] = &given
	return 200, given
}
