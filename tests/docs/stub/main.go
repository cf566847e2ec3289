// Command stub stands for the tools that the pages of docs name: aws, pulumi, kubectl and others, by the name that it is
// called by. It knows what exists, and fails for what isn't there yet and for a command that it doesn't know.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	name, args := filepath.Base(os.Args[0]), os.Args[1:]
	if err := stub(name, args); err != nil {
		fmt.Fprintf(os.Stderr, "%s %s: %v\n", name, strings.Join(args, " "), err)
		os.Exit(1)
	}
}

// world is what exists: "bucket NAME", "stack NAME" and the like. It is kept in a file between two commands.
type world map[string]bool

// rule is what a command does: it fails unless everything that it needs exists. A $ and a number are parts of the pattern's match.
type rule struct {
	pattern               string
	needs, gives, removes []string
	says                  string
}

var rules = map[string][]rule{
	"aws": {
		{pattern: `^sts get-caller-identity`},
		{pattern: `^kms create-key`, gives: []string{"key"}, says: "key-1"},
		{pattern: `^kms create-alias --alias-name (\S+) --target-key-id key-1`, needs: []string{"key"}, gives: []string{"$1"}},
		{pattern: `^ecr put-registry-scanning-configuration`},
		{pattern: `^iam create-role --role-name (\S+)`, gives: []string{"role $1"}},
		{pattern: `^iam put-role-policy --role-name (\S+)`, needs: []string{"role $1"}},
		{pattern: `^iam create-policy --policy-name (\S+)`, gives: []string{"policy $1"}},
		{pattern: `^iam attach-role-policy --role-name (\S+) --policy-arn arn:aws:iam::aws:`, needs: []string{"role $1"}},
		{pattern: `^iam attach-role-policy --role-name (\S+) --policy-arn arn:aws:iam::\d{12}:policy/(\S+)`, needs: []string{"role $1", "policy $2"}},
		{pattern: `^backup create-backup-vault --backup-vault-name (\S+)`, gives: []string{"vault $1"}},
		{pattern: `(?s)^backup create-backup-plan .*"TargetBackupVaultName": "(\w+)"`, needs: []string{"vault $1"}, gives: []string{"backup plan"}, says: "plan-1"},
		{pattern: `(?s)^backup create-backup-selection .*role/([\w-]+)".* --backup-plan-id plan-1$`, needs: []string{"backup plan", "role $1"}},
		{pattern: `^eks update-kubeconfig --name (\S+)`, needs: []string{"cluster $1"}, gives: []string{"context $1"}},
		{pattern: `^eks (?:create-access-entry|associate-access-policy) --cluster-name (\S+) .*:role/(\S+)`, needs: []string{"cluster $1", "role $2"}},
		{pattern: `^eks create-addon --cluster-name (\S+) .*:role/(\S+)`, needs: []string{"cluster $1", "role $2"}},
		{pattern: `^eks update-cluster-config --name (\S+)`, needs: []string{"cluster $1"}},
		{pattern: `^acm list-certificates|^cloudwatch (?:get-dashboard|describe-alarms)|^logs (?:tail|describe-log-groups)|^sns create-topic|^route53 change-resource-record-sets`},
		{pattern: `^rds (restore-db-instance-to-point-in-time|create-db-snapshot|copy-db-snapshot|delete-db-snapshot|describe-\S+|modify-db-instance|delete-db-instance|start-db-instance|wait \S+)`, needs: []string{"database"}, says: "database"},
	},
	"docker": {
		{pattern: `^(build|push|save) `},
	},
	// tests/commands tries these two.
	"account": {
		{pattern: `^create$`, gives: []string{"state", "alias/pulumi-dev", "alias/pulumi-prod", "stack dev", "stack prod", "platform dev", "platform prod"}},
		{pattern: `^remove$`, needs: []string{"no up dev", "no up prod", "no cluster ORG-dev", "no cluster ORG-prod", "stack dev"}, removes: []string{"state", "stack dev", "stack prod"}},
	},
	"gh": {
		{pattern: `^api .*/actions/oidc/customization/sub`, says: "repo:acme@1/shop@2"},
		{pattern: `^(workflow run|run download|attestation verify|variable set|api|secret set)`},
	},
	"git": {
		{pattern: `^(init|add|commit|remote add|fetch|merge|revert|push|checkout|status|switch|clone)`},
	},
	"kubectl": {
		{pattern: `^--namespace \S+ logs `, says: "a line of REQUEST-ID"},
		{pattern: `^(--context \S+ )?(--namespace \S+ )?(apply|get|describe|logs|events|top|wait|exec|scale|patch|create job|delete (job|pod)|drain|rollout restart|run|label|cluster-info|auth)\b`},
	},
	"pulumi": {
		{pattern: `^-C platform preview --stack (\S+)`, needs: []string{"platform $1"}},
		{pattern: `^-C platform up --stack (\S+)`, needs: []string{"platform $1"}, gives: []string{"cluster ORG-$1", "roles $1"}},
		{pattern: `^-C platform config set --stack dev --path platform:registries\.deleteImages true$`, needs: []string{"platform dev"}, gives: []string{"images may go"}},
		{pattern: `^-C platform destroy --stack dev`, needs: []string{"cluster ORG-dev", "no up dev", "images may go"}, removes: []string{"cluster ORG-dev"}},
		{pattern: `^login s3://([^?]+)`, needs: []string{"bucket $1"}, gives: []string{"state"}},
		{pattern: `^stack init (\S+) --secrets-provider awskms://([^?]+)`, needs: []string{"state", "$2"}, gives: []string{"stack $1"}},
		{pattern: `^config .*--stack (\S+)`, needs: []string{"stack $1"}},
		{pattern: `^preview --stack (\S+)`, needs: []string{"stack $1", "cluster ORG-$1", "named $1 backend", "named $1 frontend"}},
		{pattern: `^up --stack (\S+)`, needs: []string{"stack $1", "cluster ORG-$1", "named $1 backend", "named $1 frontend"}, gives: []string{"up $1"}},
		{pattern: `^stack output (\S+) --stack (\S+)`, needs: []string{"up $2"}, says: "$1-of-$2"},
		{pattern: `^stack output --stack (\S+)`, needs: []string{"up $1"}},
		{pattern: `^destroy --stack (\S+)`, needs: []string{"up $1", "cluster ORG-$1"}, removes: []string{"up $1"}},
		// Without the option, the stack config goes too.
		{pattern: `^stack rm (\S+) --preserve-config$`, needs: []string{"stack $1", "no up $1"}, removes: []string{"stack $1"}},
		{pattern: `^stack export --stack (\S+)`, needs: []string{"stack $1"}},
		{pattern: `^(refresh|cancel|import|stack import|stack history|stack rename).*--stack (\S+)`, needs: []string{"stack $2"}},
		{pattern: `^(new|stack --show-urns)`},
		{pattern: `^package add (github\.com/OWNER/threetier/package@v\d+\.\d+\.\d+|\.\./threetier/package)$`},
	},
	"curl": {{pattern: `^--\S+ .*\S`}},
	"make": {
		{pattern: `^images STACK=(\S+)`, needs: []string{"cluster ORG-$1"}, gives: []string{"named $1 backend", "named $1 frontend"}},
		{pattern: `^[a-z-]+`},
	},
	"local": {{pattern: `^(up|preview|destroy|run|shell|load|unload|encrypt|exec|status|down|clean|check|install)\b`}},
}

// gnu are parts of a script or options that the sed of macOS takes for something else.
var gnu = regexp.MustCompile(`\\[|+?nwWsSbB]|(^| )(-r|-i|-z|-s|--\w+)( |$)`)

// stub does as the tool would, as far as it is known here: an unknown command fails.
func stub(name string, args []string) error {
	line := strings.Join(args, " ")
	if name == "sed" {
		if gnu.MatchString(line) {
			return fmt.Errorf("only GNU's sed knows %s", gnu.FindString(line))
		}
		cmd := exec.Command("/usr/bin/env", append([]string{"PATH=/usr/bin:/bin", "sed"}, args...)...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		return cmd.Run()
	}
	file := os.Getenv("WORLD")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	known := world{}
	if err := json.Unmarshal(text, &known); err != nil {
		return err
	}
	if err := known.check(name, args); err != nil {
		return err
	}
	for _, rule := range rules[name] {
		match := regexp.MustCompile(rule.pattern).FindStringSubmatch(line)
		if match == nil {
			continue
		}
		fill := func(text string) string {
			for i := range match {
				text = strings.ReplaceAll(text, fmt.Sprintf("$%d", i), match[i])
			}
			return strings.ReplaceAll(text, "ORG", os.Getenv("ORG"))
		}
		for _, need := range rule.needs {
			need = fill(need)
			if absent, isAbsent := strings.CutPrefix(need, "no "); isAbsent && known[absent] || !isAbsent && !known[need] {
				return fmt.Errorf("want %s", need)
			}
		}
		for _, gives := range rule.gives {
			known[fill(gives)] = true
		}
		for _, removes := range rule.removes {
			delete(known, fill(removes))
		}
		if rule.says != "" {
			fmt.Println(fill(rule.says))
		}
		if len(rule.gives)+len(rule.removes) == 0 {
			return nil // the other end of a pipe may write
		}
		if text, err = json.Marshal(known); err != nil {
			return err
		}
		if err := os.WriteFile(file+".new", text, 0o600); err != nil {
			return err
		}
		return os.Rename(file+".new", file)
	}
	return errors.New("no such command is known")
}

var (
	placeholder = regexp.MustCompile(`\bSTACK\b|"NAMES"|OWNER_ID`)
)

// check is what a table can't say: who asks, and what is in files and documents.
func (known world) check(name string, args []string) error {
	if err := checkFiles(args); err != nil {
		return err
	}
	switch name {
	case "aws", "account":
		if os.Getenv("AWS_PROFILE") == "" || os.Getenv("AWS_REGION") == "" {
			return errors.New("no profile or no region is set")
		}
		if found := placeholder.FindString(strings.Join(args, " ")); found != "" {
			return fmt.Errorf("a document still has %s", found)
		}
	case "local":
		if args[0] == "encrypt" { // whoever writes to it would be killed for a reader that is gone
			_, err := io.Copy(io.Discard, os.Stdin)
			return err
		}
	case "pulumi":
		if i := slices.Index(args, "--file"); i >= 0 && args[1] == "export" {
			return os.WriteFile(args[i+1], []byte(`{"deployment": {"resources": []}}`), 0o600)
		}
	case "kubectl":
		return known.checkKubectl(args)
	case "make":
		return checkMake(args)
	}
	return nil
}

func checkFiles(args []string) error {
	for _, arg := range args {
		path, isFile := strings.CutPrefix(arg, "file://")
		if !isFile {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			return err
		}
	}
	return nil
}

func (known world) checkKubectl(args []string) error {
	if !slices.ContainsFunc(known.all(), func(fact string) bool { return strings.HasPrefix(fact, "context ") }) {
		return errors.New("no kubeconfig leads to a cluster")
	}
	if i := slices.Index(args, "--context"); i >= 0 && !known["context "+args[i+1]] {
		return fmt.Errorf("want the context %s", args[i+1])
	}
	i := slices.Index(args, "--filename")
	if i < 0 {
		return nil
	}
	file := args[i+1]
	if file == "-" {
		file = "/dev/stdin"
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if len(text) == 0 || placeholder.Match(text) {
		return fmt.Errorf("%s is empty or has a placeholder", file)
	}
	return nil
}

// checkMake runs make names: the commands after it read files that have the names.
func checkMake(args []string) error {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		return err
	}
	if !regexp.MustCompile(`(?m)^` + args[0] + `:.*##`).Match(makefile) {
		return errors.New("the Makefile has no such target")
	}
	if args[0] != "names" {
		return nil
	}
	cmd := exec.Command("bin/names")
	cmd.Env = append(os.Environ(), append(args[1:], "PATH=/usr/bin:/bin")...)
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, said)
	}
	return nil
}

func (known world) all() (facts []string) {
	for fact := range known {
		facts = append(facts, fact)
	}
	return facts
}
