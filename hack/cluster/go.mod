module channellink.dev/operator/hack/cluster

go 1.26.0
