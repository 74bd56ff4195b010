// Package tracing sends spans to an OpenTelemetry collector by OTLP over HTTP, in protobuf.
//
// The exporter is this package's own. The SDK's would bring gRPC into the server, also when it sends by HTTP: 69 packages for
// one POST. And it sends whatever a span holds, while this one knows a closed list of attributes: a library that some day puts
// a URL with its query into a span, as most do by default, finds that it goes nowhere (C27).
package tracing
