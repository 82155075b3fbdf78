package resources

// shape is what kind of value a field takes.
type shape int

const (
	anyShape     shape = iota // not looked into
	objectShape               // a map with known fields
	listShape                 // of elem
	textMapShape              // a map of any key to a text
	textShape
	intShape
	boolShape
	secretMapShape // as textMapShape; problems do not show its values
)

// schema is the form of a field. Unknown fields are errors (MF-1, VA-26).
type schema struct {
	shape  shape
	fields map[string]*schema
	elem   *schema
}

type fields = map[string]*schema

func objectOf(f fields) *schema       { return &schema{shape: objectShape, fields: f} }
func listOf(elem *schema) *schema     { return &schema{shape: listShape, elem: elem} }
func with(f, more fields) *schema     { return objectOf(union(f, more)) }
func refWith(more fields) *schema     { return with(referenceFields, more) }
func manifestOf(spec *schema) *schema { return with(envelope, fields{"spec": spec}) }

func union(f, more fields) fields {
	all := make(fields, len(f)+len(more))
	for name, s := range f {
		all[name] = s
	}
	for name, s := range more {
		all[name] = s
	}
	return all
}

var (
	anyField     = &schema{}
	textField    = &schema{shape: textShape}
	intField     = &schema{shape: intShape}
	boolField    = &schema{shape: boolShape}
	textMapField = &schema{shape: textMapShape}
	secretField  = &schema{shape: secretMapShape}
)

// envelope is what every manifest has. Server-side metadata and the status are
// accepted and ignored, so that what kubectl prints loads (MF-2).
var envelope = fields{
	"apiVersion": textField,
	"kind":       textField,
	"status":     anyField,
	"metadata": objectOf(fields{
		"name": textField, "namespace": textField, "uid": textField, "labels": textMapField, "annotations": textMapField,
		"resourceVersion": anyField, "generation": anyField, "creationTimestamp": anyField, "managedFields": anyField,
		"ownerReferences": anyField, "finalizers": anyField, "selfLink": anyField, "generateName": anyField,
		"deletionTimestamp": anyField, "deletionGracePeriodSeconds": anyField, "clusterName": anyField,
	}),
}

var (
	referenceFields   = fields{"apiVersion": textField, "kind": textField, "name": textField, "namespace": textField}
	destinationFields = fields{"ref": refWith(fields{"group": textField}), "uri": textField, "CACerts": textField, "audience": textField}
	destinationSchema = objectOf(destinationFields)

	deliveryFields = fields{
		"deadLetterSink": destinationSchema, "retry": intField, "timeout": textField, "backoffPolicy": textField, "backoffDelay": textField,
		"retryAfterMax": textField, "format": textField, "backoffMax": textField,
	}
	deliverySchema = objectOf(deliveryFields)

	overridesSchema = objectOf(fields{"extensions": textMapField})
	secretKeyField  = objectOf(fields{"secretKeyRef": anyField})
	netSchema       = objectOf(fields{
		"sasl": objectOf(fields{"enable": boolField, "user": secretKeyField, "password": secretKeyField, "type": secretKeyField}),
		"tls":  objectOf(fields{"enable": boolField, "cert": secretKeyField, "key": secretKeyField, "caCert": secretKeyField}),
	})

	secretReference = objectOf(fields{"secret": objectOf(fields{"ref": objectOf(fields{"name": textField})})})

	subscribersSchema = listOf(objectOf(fields{
		"uid": textField, "generation": intField, "name": textField, "subscriberUri": textField, "subscriberCACerts": textField,
		"subscriberAudience": textField, "replyUri": textField, "replyCACerts": textField, "replyAudience": textField,
		"delivery": anyField, "auth": anyField,
	}))
	channelFields      = fields{"delivery": deliverySchema, "subscribers": subscribersSchema}
	kafkaChannelFields = union(channelFields, fields{"numPartitions": intField, "replicationFactor": intField, "retentionDuration": textField})
	templateSchema     = objectOf(fields{"apiVersion": textField, "kind": textField, "spec": anyField})
)

var filterSchema = newFilterSchema()

// newFilterSchema is recursive: all, any and not hold filters again.
func newFilterSchema() *schema {
	f := objectOf(fields{"exact": textMapField, "prefix": textMapField, "suffix": textMapField, "cesql": textField})
	f.fields["all"], f.fields["any"], f.fields["not"] = listOf(f), listOf(f), f
	return f
}

var (
	brokerSchema  = objectOf(fields{"config": refWith(nil), "delivery": deliverySchema})
	triggerSchema = objectOf(fields{
		"broker": textField, "brokerRef": refWith(nil), "filter": objectOf(fields{"attributes": textMapField}),
		"filters": listOf(filterSchema), "subscriber": destinationSchema, "delivery": deliverySchema,
	})
	channelSchema       = with(channelFields, fields{"channelTemplate": templateSchema})
	kafkaChannelSchema  = objectOf(kafkaChannelFields)
	memoryChannelSchema = objectOf(channelFields)
	subscriptionSchema  = objectOf(fields{
		"channel": refWith(nil), "subscriber": destinationSchema, "reply": destinationSchema, "delivery": deliverySchema,
	})
	sequenceSchema = objectOf(fields{
		"steps":           listOf(with(destinationFields, fields{"delivery": deliverySchema})),
		"channelTemplate": templateSchema, "reply": destinationSchema,
	})
	parallelSchema = objectOf(fields{
		"branches": listOf(objectOf(fields{
			"filter": destinationSchema, "subscriber": destinationSchema, "reply": destinationSchema, "delivery": deliverySchema,
		})),
		"channelTemplate": templateSchema, "reply": destinationSchema,
	})
	kafkaSinkSchema = objectOf(fields{
		"topic": textField, "bootstrapServers": listOf(textField), "contentMode": textField, "numPartitions": intField,
		"replicationFactor": intField, "auth": secretReference,
	})
	pingSourceSchema = objectOf(fields{
		"schedule": textField, "timezone": textField, "contentType": textField, "data": textField, "dataBase64": textField, "sink": destinationSchema,
		"ceOverrides": overridesSchema,
	})
	kafkaSourceSchema = objectOf(fields{
		"topics": listOf(textField), "bootstrapServers": listOf(textField), "net": netSchema, "consumerGroup": textField,
		"initialOffset": textField, "ordering": textField, "consumers": intField, "delivery": deliverySchema,
		"sink": destinationSchema, "ceOverrides": overridesSchema,
	})
	configMapSchema = with(envelope, fields{"data": textMapField, "binaryData": anyField, "immutable": boolField})
	secretSchema    = with(envelope, fields{"data": secretField, "stringData": secretField, "type": textField, "immutable": boolField})
)

// The schemas of what ConfigMaps hold as YAML inside their text.
var (
	channelDefaultsSchema = objectOf(fields{"clusterDefault": templateSchema, "namespaceDefaults": {shape: objectShape, elem: templateSchema}})
	brokerDefaultSchema   = refWith(fields{
		"brokerClass": textField, "delivery": deliverySchema, "disallowDifferentNamespaceConfig": boolField, "brokerClasses": anyField,
	})
	brokerDefaultsSchema = objectOf(fields{"clusterDefault": brokerDefaultSchema, "namespaceDefaults": {shape: objectShape, elem: brokerDefaultSchema}})
)
