// Package altered lets tables of expectations prove that none of their lines is empty:
// with KURIER_ALTERED=1 each expectation that passes through Want is another one, and the
// test of each line must fail. test/conformance runs the tables in both ways.
//
// It changes nothing else, and no program but a test imports it.
package altered

import (
	"fmt"
	"os"
	"reflect"
)

// Env is the variable that alters expectations when it is 1.
const Env = "KURIER_ALTERED"

var on = os.Getenv(Env) == "1"

// Want is want, or a value that differs from it when expectations are altered. A text gets
// longer, a number greater, a truth is turned round, a list loses its last element or gets
// a first one. Other types panic: they cannot be altered.
func Want[T any](want T) T {
	if !on {
		return want
	}
	return alter(want)
}

func alter[T any](want T) T {
	v := reflect.New(reflect.TypeOf(want)).Elem()
	v.Set(reflect.ValueOf(want))
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.String:
		v.SetString(v.String() + " altered")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Slice:
		if v.Len() == 0 {
			v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
		} else {
			v.Set(v.Slice(0, v.Len()-1))
		}
	default:
		panic(fmt.Sprintf("an expectation of type %T cannot be altered", want))
	}
	return v.Interface().(T)
}
