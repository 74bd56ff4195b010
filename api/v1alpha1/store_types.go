package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Store says where links are kept: SQLite on a volume (one replica) or PostgreSQL. Changing the kind moves no links;
// `webhookserver links export` and `import` do.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.sqlite) && has(self.postgres))",message="set store.sqlite or store.postgres, not both (neither is SQLite on a volume of 1Gi)"
// +kubebuilder:validation:XValidation:rule="has(self.postgres) || has(oldSelf.postgres) || self.?sqlite.?ephemeral.orValue(false) == oldSelf.?sqlite.?ephemeral.orValue(false)",message="store.sqlite.ephemeral is immutable: a volume cannot become another kind; export the links and create a new ChannelLink"
// +kubebuilder:validation:XValidation:rule="has(self.postgres) || has(oldSelf.postgres) || (has(self.sqlite) && has(self.sqlite.storageClassName) ? self.sqlite.storageClassName : \"\") == (has(oldSelf.sqlite) && has(oldSelf.sqlite.storageClassName) ? oldSelf.sqlite.storageClassName : \"\")",message="store.sqlite.storageClassName is immutable: a volume keeps its class; export the links, and create the ChannelLink anew without the former volume"
type Store struct {
	// SQLite keeps the links in a file on a volume of the server's own. Absent, as `postgres` is: SQLite with its
	// defaults.
	//
	// +optional
	SQLite *SQLiteStore `json:"sqlite,omitempty"`
	// Postgres keeps the links in a PostgreSQL database, which several replicas share. Absent: SQLite.
	//
	// +optional
	Postgres *PostgresStore `json:"postgres,omitempty"`
	// EncryptionKeySecretRef names the keys that seal what is confidential in the store: at least 32 random bytes
	// each, one a line in base64, newest first. Absent: the store's own protection is relied on.
	//
	// +optional
	EncryptionKeySecretRef *SecretKeyReference `json:"encryptionKeySecretRef,omitempty"`
	// AuditRetention is how long the record of linking and unlinking is kept, from 24h to 87600h. Absent: 9600h (400
	// days).
	//
	// +optional
	// +kubebuilder:default="9600h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}([.][0-9]{1,3})?(h|m|s|ms)){1,4}$') && duration(self) >= duration('24h') && duration(self) <= duration('87600h')",message="auditRetention must be a duration between 24h and 87600h, such as 9600h"
	AuditRetention *metav1.Duration `json:"auditRetention,omitempty"`
}

// SQLiteStore is the embedded store. Its PersistentVolumeClaim outlives the ChannelLink, because it holds people's
// links.
type SQLiteStore struct {
	// Size of the volume. A greater one has it grow, if its storage class lets it; no volume shrinks. Absent: 1Gi.
	//
	// +optional
	// +kubebuilder:default="1Gi"
	// +kubebuilder:validation:XValidation:rule="size(string(self)) <= 32 && isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('16Mi')) >= 0",message="size must be a quantity of at least 16Mi, such as 1Gi"
	Size *resource.Quantity `json:"size,omitempty"`
	// StorageClassName of the volume; immutable. Absent: the cluster's default class.
	//
	// +optional
	StorageClassName ObjectName `json:"storageClassName,omitempty"`
	// Ephemeral keeps the file in the pod alone: links are lost when the pod goes. For trials; immutable. Absent:
	// false.
	//
	// +optional
	// +kubebuilder:default=false
	Ephemeral *bool `json:"ephemeral,omitempty"`
}

// PostgresStore is a PostgreSQL database, version 13 or newer.
type PostgresStore struct {
	// DSNSecretRef names the connection string, for example
	// `postgres://channellink:…@db.vision.svc/channellink?sslmode=verify-full`. Its role must be allowed to create
	// tables in its schema. It must lead to a session of its own: not to a pooler in transaction mode. Several
	// ChannelLinks may share a database.
	DSNSecretRef SecretKeyReference `json:"dsnSecretRef"`
	// MaxConns bounds the connections of each replica. Absent: 10.
	//
	// +optional
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=2
	// +kubebuilder:validation:Maximum=200
	MaxConns *int32 `json:"maxConns,omitempty"`
}
