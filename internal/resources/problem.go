package resources

// Problem is one thing that is wrong, or worth a warning, in a manifest.
type Problem struct {
	File    string
	Line    int // 0 only when File cannot be read
	Message string
	Paths   []string // fields, sorted
	Details string   // more lines, or empty
	Ref     Ref      // the object, as far as it is known
	Warning bool
}

func (p Problem) String() string { return p.Message }

// Problems is every problem of a set of manifests, sorted and merged.
type Problems []Problem

func (p Problems) Error() string { return "" }
