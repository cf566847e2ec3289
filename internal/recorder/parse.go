package recorder

// Parse is a stack config given as the text of a Pulumi.<stack>.yaml, for programs that aren't tests.
func Parse(text []byte) (*Config, error) { return parse(text) }
