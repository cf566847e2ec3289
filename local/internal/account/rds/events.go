package rds

import (
	"slices"
	"strings"

	"threetier/local/internal/account/state"
)

const KindEventSubscription = "rds/eventSubscription"

// eventCategories are RDS's, by the type of what the events are about.
var eventCategories = map[string][]string{
	"db-instance": strings.Split("availability,backtrack,backup,configuration change,creation,deletion,failover,failure,"+
		"low storage,maintenance,notification,read replica,recovery,restoration,security,security patching", ","),
	"db-parameter-group": {"configuration change"},
	"db-security-group":  {"configuration change", "failure"},
	"db-snapshot":        {"creation", "deletion", "notification", "restoration"},
}

func createEventSubscription(a *Service, c *state.Call) (*state.Record, error) {
	name := state.Text(c.Inputs, "name")
	if a.Store.Get(KindEventSubscription, name) != nil {
		return nil, state.Refuse("SubscriptionAlreadyExist", "Event Subscription already exists with name: %s", name)
	}
	rec := c.Record(KindEventSubscription, name)
	rec.Outputs = map[string]any{"arn": state.ARN("rds", c.Region, "es:"+name), "customerAwsId": state.ID, "enabled": true}
	return rec, updateEventSubscription(a, c, rec)
}

func updateEventSubscription(a *Service, c *state.Call, _ *state.Record) error {
	if topic := state.Text(c.Inputs, "snsTopic"); !strings.HasPrefix(topic, "arn:aws:sns:") {
		return state.Refuse("SNSTopicArnNotFound", "SNS topic ARN does not exist: %s", topic)
	}
	sourceType, sources := state.Text(c.Inputs, "sourceType"), state.List(c.Inputs, "sourceIds")
	known, ok := eventCategories[sourceType]
	if sourceType != "" && !ok {
		return state.Refuse("InvalidParameterValue", "Invalid source type: %s", sourceType)
	}
	if sourceType == "" && len(sources) > 0 {
		return state.Refuse("InvalidParameterCombination", "SourceType is required when SourceIds are given.")
	}
	for _, category := range state.List(c.Inputs, "eventCategories") {
		if sourceType != "" && !slices.Contains(known, category) {
			return state.Refuse("SubscriptionCategoryNotFound", "Category '%s' does not exist for %s", category, sourceType)
		}
	}
	for _, id := range sources {
		missing := sourceType == "db-instance" && a.InstanceByName(id) == nil ||
			sourceType == "db-parameter-group" && a.Store.Get(KindParameterGroup, id) == nil
		if missing {
			return state.Refuse("SourceNotFound", "Source %s of type %s not found.", id, sourceType)
		}
	}
	return nil
}
