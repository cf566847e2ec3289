// Package alarms watches the app as its users and the people on call see it: an Alarms component makes CloudWatch
// alarms, the metric filters that they read logs by, a check from outside and a dashboard. What it can see depends on
// what the account collects, so each source has a key of its own. The database's alarms are the database's.
package alarms
