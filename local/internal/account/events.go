package account

import (
	"slices"
	"strings"
)

const kindEventSubscription = "rds/eventSubscription"

// eventCategories are RDS's, by the type of what the events are about.
var eventCategories = map[string][]string{
	"db-instance": strings.Split("availability,backtrack,backup,configuration change,creation,deletion,failover,failure,"+
		"low storage,maintenance,notification,read replica,recovery,restoration,security,security patching", ","),
	"db-parameter-group": {"configuration change"},
	"db-security-group":  {"configuration change", "failure"},
	"db-snapshot":        {"creation", "deletion", "notification", "restoration"},
}

func createEventSubscription(a *service, c *call) (*record, error) {
	name := text(c.inputs, "name")
	if a.store.get(kindEventSubscription, name) != nil {
		return nil, refuse("SubscriptionAlreadyExist", "Event Subscription already exists with name: %s", name)
	}
	rec := c.record(kindEventSubscription, name)
	rec.Outputs = map[string]any{"arn": arn("rds", c.region, "es:"+name), "customerAwsId": ID, "enabled": true}
	return rec, updateEventSubscription(a, c, rec)
}

func updateEventSubscription(a *service, c *call, _ *record) error {
	if topic := text(c.inputs, "snsTopic"); !strings.HasPrefix(topic, "arn:aws:sns:") {
		return refuse("SNSTopicArnNotFound", "SNS topic ARN does not exist: %s", topic)
	}
	sourceType, sources := text(c.inputs, "sourceType"), list(c.inputs, "sourceIds")
	known, ok := eventCategories[sourceType]
	if sourceType != "" && !ok {
		return refuse("InvalidParameterValue", "Invalid source type: %s", sourceType)
	}
	if sourceType == "" && len(sources) > 0 {
		return refuse("InvalidParameterCombination", "SourceType is required when SourceIds are given.")
	}
	for _, category := range list(c.inputs, "eventCategories") {
		if sourceType != "" && !slices.Contains(known, category) {
			return refuse("SubscriptionCategoryNotFound", "Category '%s' does not exist for %s", category, sourceType)
		}
	}
	for _, id := range sources {
		missing := sourceType == "db-instance" && a.instanceByName(id) == nil ||
			sourceType == "db-parameter-group" && a.store.get(kindParameterGroup, id) == nil
		if missing {
			return refuse("SourceNotFound", "Source %s of type %s not found.", id, sourceType)
		}
	}
	return nil
}
