// Command hello is what the tests put into an image.
package main

var version = "unset"

func main() { println(version) }
