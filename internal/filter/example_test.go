package filter_test

import (
	"fmt"

	"kurier.dev/kurier/internal/event"
	"kurier.dev/kurier/internal/filter"
)

func ExampleCompile() {
	f, err := filter.Compile(nil, []filter.Spec{
		{Prefix: map[string]string{"type": "com.example."}},
		{Not: &filter.Spec{CESQL: "priority < 5"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	m := &event.Message{}
	m.Set("type", "com.example.order")
	m.Set("priority", "7")
	fmt.Println(f.Match(m))
	// Output: true <nil>
}
