package rds

import "testing"

func TestFormulas(t *testing.T) {
	for value, want := range map[string]string{
		"500":                            "500",
		"on":                             "on",
		"{DBInstanceClassMemory/32768}":  "32768",
		"{DBInstanceClassMemory*3/4096}": "786432",
		"LEAST({DBInstanceClassMemory/9531392},5000)":   "112",
		"GREATEST({DBInstanceClassMemory/63963136}, 1)": "16",
		"SUM({EndPointPort},{DBInstanceVCPU},1)":        "5435",
		"{Memory/2}":                                    "",
		"{DBInstanceClassMemory/0}":                     "",
		"LEAST(1,2":                                     "",
		"{DBInstanceVCPU}}":                             "",
		"{1+1}":                                         "",
	} {
		have, err := evaluate(value, smallest)
		if want == "" && err == nil || want != "" && (err != nil || have != want) {
			t.Errorf("%s is %s and error %v, want %q", value, have, err, want)
		}
	}
}
