// Package domain is the public name of an app: its certificates in ACM, and its records in Route 53 or, where the zone
// is elsewhere, the records that somebody is to make there.
//
// Each name has a certificate of its own: names come and go without a new certificate for the others, and a name whose
// validation is pending holds up no other.
package domain
