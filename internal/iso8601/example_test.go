package iso8601_test

import (
	"fmt"
	"time"

	"kurier.dev/kurier/internal/iso8601"
)

func ExampleParse() {
	d, _ := iso8601.Parse("PT0.25S")
	fmt.Println(d)
	_, err := iso8601.Parse("30s")
	fmt.Println(err)
	// Output:
	// 250ms
	// "30s" is not a valid duration: use ISO 8601, for example PT30S (30s is PT30S)
}

func ExampleFormat() {
	fmt.Println(iso8601.Format(90 * time.Second))
	// Output: PT1M30S
}
