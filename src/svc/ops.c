/* The operation table. Its order is that of the documentation. */
#include "svc/ops.h"

#include "svc/handlers_int.h"
#include "svc/messages.h"

/* clang-format off */
/* name, method, route, verb, request, answer, permission, auth, audit, cost, streams, prepare,
 * finish, sentence */
#define CM_OPS(X) \
    X(CreateTenant, "POST", "/v1/tenants", "tenant create", CreateTenantRequest, Tenant, ADMIN, SIGNED, CHANGE, 20, false, cm_do_create_tenant, cm_do_create_tenant_made, "Makes a tenant with a key-encryption key of its own.") \
    X(ListTenants, "GET", "/v1/tenants", "tenant list", ListTenantsRequest, ListTenantsAnswer, ADMIN, ANY, USE, 5, false, cm_do_list_tenants, NULL, "Lists tenants by page.") \
    X(GetTenant, "GET", "/v1/tenants/{tenant}", "tenant show", TenantRequest, Tenant, READ, ANY, USE, 1, false, cm_do_get_tenant, NULL, "Shows a tenant.") \
    X(UpdateTenant, "PATCH", "/v1/tenants/{tenant}", "tenant update", UpdateTenantRequest, Tenant, ADMIN, SIGNED, CHANGE, 5, false, cm_do_update_tenant, cm_do_update_tenant_made, "Changes limits of a tenant, suspends or resumes it, moves its key-encryption keys to another device. Only principals of the system can.") \
    X(RotateTenantKek, "POST", "/v1/tenants/{tenant}:rotateKek", "tenant rotate", TenantRequest, RotateAnswer, ADMIN, SIGNED, CHANGE, 60, false, cm_do_rotate_kek, cm_do_rotate_kek_made, "Makes a new version of the tenant's key-encryption key and wraps the tenant's keys with it. No data is encrypted anew.") \
    X(ErasePersonalData, "POST", "/v1/tenants/{tenant}:erasePersonalData", "tenant erase", ErasePersonalDataRequest, Empty, ADMIN, SIGNED, CHANGE, 10, false, cm_do_erase, NULL, "Removes a principal, its credentials, and the salt without which log entries can't be tied to its name.") \
    \
    X(CreatePrincipal, "POST", "/v1/tenants/{tenant}/principals", "principal create", CreatePrincipalRequest, Principal, ADMIN, SIGNED, CHANGE, 5, false, cm_do_create_principal, NULL, "Makes a principal. It may do nothing until a grant says so.") \
    X(ListPrincipals, "GET", "/v1/tenants/{tenant}/principals", "principal list", ListPrincipalsRequest, ListPrincipalsAnswer, ADMIN, ANY, USE, 5, false, cm_do_list_principals, NULL, "Lists principals by page.") \
    X(GetPrincipal, "GET", "/v1/tenants/{tenant}/principals/{principal}", "principal show", PrincipalRequest, Principal, ADMIN, ANY, USE, 1, false, cm_do_get_principal, NULL, "Shows a principal.") \
    X(DisablePrincipal, "POST", "/v1/tenants/{tenant}/principals/{principal}:disable", "principal disable", PrincipalRequest, Principal, ADMIN, SIGNED, CHANGE, 5, false, cm_do_disable_principal, NULL, "Refuses a principal everywhere, from the next request on.") \
    X(EnablePrincipal, "POST", "/v1/tenants/{tenant}/principals/{principal}:enable", "principal enable", PrincipalRequest, Principal, ADMIN, SIGNED, CHANGE, 5, false, cm_do_enable_principal, NULL, "Takes DisablePrincipal back.") \
    X(AddCredential, "POST", "/v1/tenants/{tenant}/principals/{principal}:addCredential", "principal add-credential", AddCredentialRequest, Principal, ADMIN, SIGNED, CHANGE, 5, false, cm_do_add_credential, NULL, "Adds an ML-DSA public key, a client certificate or an OIDC subject.") \
    X(RemoveCredential, "POST", "/v1/tenants/{tenant}/principals/{principal}:removeCredential", "principal remove-credential", RemoveCredentialRequest, Principal, ADMIN, SIGNED, CHANGE, 5, false, cm_do_remove_credential, NULL, "Takes a credential away.") \
    X(CreateApiKey, "POST", "/v1/tenants/{tenant}/principals/{principal}:createApiKey", "principal api-key", PrincipalRequest, CreateApiKeyAnswer, ADMIN, SIGNED, CHANGE, 5, false, cm_do_create_api_key, NULL, "Makes an API key. It is shown once; only its hash is kept.") \
    X(PutIssuer, "POST", "/v1/tenants/{tenant}/issuers", "principal put-issuer", PutIssuerRequest, Empty, ADMIN, SIGNED, CHANGE, 5, false, cm_do_put_issuer, NULL, "Pins an OIDC issuer with its audience and keys, or replaces the pins.") \
    \
    X(PutGrant, "PUT", "/v1/tenants/{tenant}/grants/{grant}", "policy put", PutGrantRequest, Grant, ADMIN, SIGNED, CHANGE, 5, false, cm_do_put_grant, NULL, "Makes or replaces a grant.") \
    X(GetGrant, "GET", "/v1/tenants/{tenant}/grants/{grant}", "policy show", GrantRequest, Grant, ADMIN, ANY, USE, 1, false, cm_do_get_grant, NULL, "Shows a grant.") \
    X(ListGrants, "GET", "/v1/tenants/{tenant}/grants", "policy list", ListGrantsRequest, ListGrantsAnswer, ADMIN, ANY, USE, 5, false, cm_do_list_grants, NULL, "Lists grants by page.") \
    X(DeleteGrant, "DELETE", "/v1/tenants/{tenant}/grants/{grant}", "policy delete", GrantRequest, Empty, ADMIN, SIGNED, CHANGE, 5, false, cm_do_delete_grant, NULL, "Removes a grant.") \
    X(Explain, "POST", "/v1/tenants/{tenant}/grants:explain", "policy explain", ExplainRequest, ExplainAnswer, ADMIN, ANY, USE, 2, false, cm_do_explain, NULL, "Says how a request would be decided, and why, without doing it.") \
    \
    X(PutAttestPolicy, "PUT", "/v1/tenants/{tenant}/attestPolicies/{policy}", "attest put-policy", PutAttestPolicyRequest, AttestPolicy, ADMIN, SIGNED, CHANGE, 20, false, cm_do_put_attest_policy, NULL, "Puts a version of an attestation policy in force. Two signers of the one before have to agree; there is no way to remove one.") \
    X(GetAttestPolicy, "GET", "/v1/tenants/{tenant}/attestPolicies/{policy}", "attest get-policy", AttestPolicyRequest, AttestPolicy, READ, ANY, USE, 1, false, cm_do_get_attest_policy, NULL, "Shows an attestation policy, or an older version of it.") \
    X(ListAttestPolicies, "GET", "/v1/tenants/{tenant}/attestPolicies", "attest list-policies", ListAttestPoliciesRequest, ListAttestPoliciesAnswer, READ, ANY, USE, 5, false, cm_do_list_attest_policies, NULL, "Lists attestation policies by page.") \
    X(AttestChallenge, "POST", "/v1/tenants/{tenant}:challenge", "attest server-challenge", AttestChallengeRequest, AttestChallengeAnswer, NONE, ANY, USE, 5, false, cm_do_attest_challenge, NULL, "Gives a nonce for fresh evidence, good once and for 300 s on every node; for a TPM a credential as well.") \
    \
    X(CreateKey, "POST", "/v1/tenants/{tenant}/keys/{key}", "key create", CreateKeyRequest, Key, MANAGE, ANY, CHANGE, 10, false, cm_do_create_key, cm_do_create_key_made, "Makes a key where keys are held. LP-325: GenerateKey.") \
    X(DealThreshold, "POST", "/v1/tenants/{tenant}/keyspaces/{keyspace}:dealThreshold", "key deal", DealThresholdRequest, DealThresholdAnswer, MANAGE, SIGNED, CHANGE, 40, false, cm_do_deal_threshold, cm_do_deal_threshold_made, "Makes a threshold key where keys are held, as shares in a keyspace of its own; grants on them say who holds which. LP-325: GenerateKey for SignThreshold.") \
    X(ImportKey, "POST", "/v1/tenants/{tenant}/keys/{key}:import", "key import", ImportKeyRequest, Key, MANAGE, SIGNED, CHANGE, 10, false, cm_do_import_key, cm_do_create_key_made, "Takes a key in. LP-325: ImportKey.") \
    X(ImportWrapped, "POST", "/v1/tenants/{tenant}/keys/{key}:importWrapped", "key import-wrapped", ImportWrappedRequest, Key, MANAGE, SIGNED, CHANGE, 10, false, cm_do_import_wrapped, cm_do_import_wrapped_made, "Takes a key in that only the keeper of keys can unwrap. LP-325: ImportWrapped.") \
    X(GetKey, "GET", "/v1/tenants/{tenant}/keys/{key}", "key info", KeyRequest, Key, READ, ANY, USE, 1, false, cm_do_get_key, NULL, "Shows what is known of a key.") \
    X(ListKeys, "GET", "/v1/tenants/{tenant}/keys", "key list", ListKeysRequest, ListKeysAnswer, READ, ANY, USE, 5, false, cm_do_list_keys, NULL, "Lists keys by page.") \
    X(UpdateKey, "PATCH", "/v1/tenants/{tenant}/keys/{key}", "key update", UpdateKeyRequest, Key, MANAGE, ANY, CHANGE, 5, false, cm_do_update_key, NULL, "Changes tags, rotation, budgets, min_decrypt_version.") \
    X(RotateKey, "POST", "/v1/tenants/{tenant}/keys/{key}:rotate", "key rotate", KeyRequest, Key, MANAGE, ANY, CHANGE, 10, false, cm_do_rotate_key, cm_do_rotate_key_made, "Makes a new version; the one before verifies and decrypts from now on.") \
    X(SetKeyState, "POST", "/v1/tenants/{tenant}/keys/{key}:setState", "key state", SetKeyStateRequest, Key, MANAGE, SIGNED, CHANGE, 5, false, cm_do_set_state, NULL, "Moves a version to another state (NIST SP 800-57).") \
    X(ScheduleDestruction, "POST", "/v1/tenants/{tenant}/keys/{key}:scheduleDestruction", "key destroy", ScheduleDestructionRequest, Key, MANAGE, SIGNED, CHANGE, 5, false, cm_do_schedule_destruction, NULL, "Stops all use now, and destroys all versions after 7 to 30 days.") \
    X(CancelDestruction, "POST", "/v1/tenants/{tenant}/keys/{key}:cancelDestruction", "key restore", KeyRequest, Key, MANAGE, SIGNED, CHANGE, 5, false, cm_do_cancel_destruction, NULL, "Takes ScheduleDestruction back: all versions are deactivated then.") \
    X(DeleteKey, "DELETE", "/v1/tenants/{tenant}/keys/{key}", "key delete", DeleteKeyRequest, Empty, MANAGE, SIGNED, CHANGE, 5, false, cm_do_delete_key, NULL, "Removes the record of a destroyed key. LP-325: DeleteKey, after ScheduleDestruction.") \
    X(GetPublicKey, "GET", "/v1/tenants/{tenant}/keys/{key}/publicKey", "key public-key", KeyVersionRequest, PublicKeyAnswer, READ, ANY, USE, 1, false, cm_do_public_key, NULL, "Gives the public key.") \
    X(AttestKey, "POST", "/v1/tenants/{tenant}/keys/{key}:attest", "key attest", KeyVersionRequest, AttestKeyAnswer, READ, ANY, RECEIPT, 5, false, cm_do_attest_key, NULL, "States where a key is held and what it may do; the log's signature vouches for it.") \
    \
    X(Sign, "POST", "/v1/tenants/{tenant}/keys/{key}:sign", "key sign", SignRequest, SignAnswer, USE, ANY, RECEIPT, 4, false, cm_do_sign, cm_do_sign_made, "Signs a message, a digest or an external mu. LP-325: Sign, SignBLS.") \
    X(Verify, "POST", "/v1/tenants/{tenant}/keys/{key}:verify", "key verify", VerifyRequest, VerifyAnswer, USE, ANY, USE, 2, false, cm_do_verify, cm_do_verify_made, "Verifies a signature. Never makes a key. LP-325: Verify.") \
    X(SignThreshold, "POST", "/v1/tenants/{tenant}/keys/{key}:signThreshold", "key sign-share", SignThresholdRequest, SignThresholdAnswer, USE, ANY, RECEIPT, 4, false, cm_do_sign_threshold, cm_do_sign_threshold_made, "One signer's part of a FROST signature (RFC 9591), in two rounds: without nonces the commitments, with them the share. LP-325: SignThreshold.") \
    X(AggregateThreshold, "POST", "/v1/tenants/{tenant}/keys/{key}:aggregateThreshold", "key aggregate", AggregateThresholdRequest, SignAnswer, USE, ANY, RECEIPT, 8, false, cm_do_aggregate_threshold, cm_do_aggregate_threshold_made, "Makes one signature of enough shares, and verifies it before it leaves; when it does not verify, names whose share is bad. LP-325: the end of SignThreshold.") \
    X(SignPoAI, "POST", "/v1/tenants/{tenant}/keys/{key}:signPoAI", "key sign-poai", SignPoAIRequest, SignMarketAnswer, USE, ANY, RECEIPT, 4, false, cm_do_sign_poai, cm_do_sign_poai_made, "Signs a receipt for an inference (spec/market.md) with a secp256k1 or ML-DSA-65 key, or with one of each. A nonce serves once. Seeds: SignPoAI.") \
    X(SignPoAIBatch, "POST", "/v1/tenants/{tenant}/keys/{key}:signPoAIBatch", "key sign-poai-batch", SignPoAIBatchRequest, SignPoAIBatchAnswer, USE, ANY, RECEIPT, 100, false, cm_do_sign_poai_batch, cm_do_sign_poai_batch_made, "Signs many receipts at once as a Merkle batch: one signature, and for each receipt its inclusion path, with which it is verified alone.") \
    X(SignPoAIRoot, "POST", "/v1/tenants/{tenant}/keys/{key}:signPoAIRoot", "key sign-poai-root", SignPoAIRootRequest, SignMarketAnswer, USE, ANY, RECEIPT, 4, false, cm_do_sign_poai_root, cm_do_sign_poai_root_made, "Signs the head of a batch of up to a million receipts that the caller made. The server does not see them; who verifies one does.") \
    X(VerifyPoAI, "POST", "/v1/tenants/{tenant}/keys/{key}:verifyPoAI", "key verify-poai", VerifyMarketRequest, VerifyMarketAnswer, USE, ANY, USE, 2, false, cm_do_verify_poai, NULL, "Verifies a receipt: signature, key, realm, time; with accept its nonce is used up, and a second acceptance is refused. Seeds: VerifyPoAI.") \
    X(SignHMMSettlement, "POST", "/v1/tenants/{tenant}/keys/{key}:signSettlement", "key sign-settlement", SignHMMSettlementRequest, SignMarketAnswer, USE, ANY, RECEIPT, 8, false, cm_do_sign_settlement, cm_do_sign_settlement_made, "Signs a settlement for a receipt that it verifies first. A job, and a receipt, is settled once, for good; who asks for the same again gets the same. Seeds: SignHMMSettlement.") \
    X(VerifyHMMSettlement, "POST", "/v1/tenants/{tenant}/keys/{key}:verifySettlement", "key verify-settlement", VerifyMarketRequest, VerifyMarketAnswer, USE, ANY, USE, 2, false, cm_do_verify_settlement, NULL, "Verifies a settlement; with accept its job is paid, and a second acceptance is refused. Seeds: VerifyHMMSettlement.") \
    X(Encrypt, "POST", "/v1/tenants/{tenant}/keys/{key}:encrypt", "key encrypt", EncryptRequest, EncryptAnswer, USE, ANY, USE, 1, false, cm_do_encrypt, cm_do_encrypt_made, "Encrypts something small with AES-256-GCM.") \
    X(Decrypt, "POST", "/v1/tenants/{tenant}/keys/{key}:decrypt", "key decrypt", DecryptRequest, DecryptAnswer, USE, ANY, RECEIPT, 1, false, cm_do_decrypt, cm_do_decrypt_made, "Decrypts it.") \
    X(Encapsulate, "POST", "/v1/tenants/{tenant}/keys/{key}:encapsulate", "key encapsulate", KeyVersionRequest, EncapsulateAnswer, USE, ANY, USE, 2, false, cm_do_encapsulate, cm_do_encapsulate_made, "A fresh shared secret for the key's holder.") \
    X(Decapsulate, "POST", "/v1/tenants/{tenant}/keys/{key}:decapsulate", "key decapsulate", DecapsulateRequest, DecapsulateAnswer, USE, ANY, RECEIPT, 2, false, cm_do_decapsulate, cm_do_decapsulate_made, "The shared secret out of a KEM ciphertext.") \
    X(GenerateDataKey, "POST", "/v1/tenants/{tenant}/keys/{key}:generateDataKey", "key data-key", GenerateDataKeyRequest, GenerateDataKeyAnswer, USE, ANY, RECEIPT, 1, false, cm_do_data_key, cm_do_data_key_made, "A fresh key, plain and wrapped.") \
    X(Wrap, "POST", "/v1/tenants/{tenant}/keys/{key}:wrap", "key wrap", WrapRequest, WrapAnswer, USE, ANY, USE, 1, false, cm_do_wrap, cm_do_wrap_made, "Wraps a key.") \
    X(Unwrap, "POST", "/v1/tenants/{tenant}/keys/{key}:unwrap", "key unwrap", UnwrapRequest, UnwrapAnswer, USE, SIGNED, RECEIPT, 1, false, cm_do_unwrap, cm_do_unwrap_made, "Releases a wrapped key.") \
    X(Rewrap, "POST", "/v1/tenants/{tenant}/keys/{key}:rewrap", "key rewrap", UnwrapRequest, WrapAnswer, USE, ANY, USE, 1, false, cm_do_rewrap, cm_do_wrap_made, "Wraps with the current version what an older one wrapped; nobody sees it in between.") \
    X(Mac, "POST", "/v1/tenants/{tenant}/keys/{key}:mac", "key mac", MacRequest, MacAnswer, USE, ANY, USE, 1, false, cm_do_mac, cm_do_mac_made, "HMAC-SHA-256.") \
    X(VerifyMac, "POST", "/v1/tenants/{tenant}/keys/{key}:verifyMac", "key verify-mac", VerifyMacRequest, VerifyAnswer, USE, ANY, USE, 1, false, cm_do_verify_mac, cm_do_verify_made, "Verifies one, in constant time.") \
    X(Batch, "POST", "/v1/tenants/{tenant}/keys/{key}:batch", NULL, BatchRequest, BatchAnswer, USE, ANY, RECEIPT, 1, false, cm_do_batch, cm_do_batch_made, "Sign, Verify, Encrypt, Decrypt, Decapsulate, Mac or SignPoAI for up to 128 items under one key. It is decided as that operation, each item costs what it costs, and one leaf binds them all.") \
    X(Random, "POST", "/v1/tenants/{tenant}:random", "key random", RandomRequest, RandomAnswer, USE, ANY, USE, 1, false, cm_do_random, cm_do_random_made, "Random bytes from where keys are held.") \
    X(ExportWrapped, "POST", "/v1/tenants/{tenant}/keys/{key}:exportWrapped", "key export", ExportWrappedRequest, ExportWrappedAnswer, EXPORT, SIGNED, RECEIPT, 20, false, cm_do_export, cm_do_export_made, "Gives an exportable key out, sealed to one recipient. LP-325: ExportWrapped.") \
    \
    X(ReleaseKey, "POST", "/v1/tenants/{tenant}/keys/{key}:release", "key release", ReleaseKeyRequest, ReleaseKeyAnswer, USE, ANY, RECEIPT, 10, false, cm_do_release_key, cm_do_release_key_made, "Gives a key, or what it wrapped, to a machine whose evidence meets the attestation policy that the key names, sealed to the key that the evidence is bound to.") \
    \
    X(RcarAuth, "POST", "/kbs/v0/auth", NULL, RcarRequest, RcarAnswer, NONE, NONE, OFF, 1, false, cm_do_rcar_auth, NULL, "Key broker protocol of Confidential Containers: gives a challenge. Bodies are those of the protocol (spec/release.md).") \
    X(RcarAttest, "POST", "/kbs/v0/attest", NULL, RcarRequest, RcarAnswer, NONE, NONE, USE, 1, false, cm_do_rcar_attest, NULL, "Key broker protocol: takes evidence for the challenge, and gives a session of 5 minutes that every node knows.") \
    X(RcarResource, "GET", "/kbs/v0/resource/{tenant}/{keyspace}/{key}", NULL, RcarResourceRequest, RcarAnswer, USE, ATTESTED, USE, 10, false, cm_do_rcar_resource, cm_do_rcar_resource_made, "Key broker protocol: a key with a release policy, for the machine of the session. Repository is the tenant, type the keyspace, tag the key; asked as the tenant's principal `rcar`, whose grants name ReleaseKey.") \
    \
    X(CreateModelKeyspace, "POST", "/v1/tenants/{tenant}/models", "model keyspace", CreateModelKeyspaceRequest, ModelKeyspace, MANAGE, SIGNED, CHANGE, 5, false, cm_do_create_keyspace, NULL, "A keyspace of its own for one model. Seeds: CreateModelKeyspace.") \
    X(EncryptModelWeights, "POST", "/v1/tenants/{tenant}/models/{model}/versions/{version}:encryptWeights", "model wrap", EncryptModelWeightsRequest, EncryptModelWeightsAnswer, USE, SIGNED, RECEIPT, 10, false, cm_do_encrypt_weights, cm_do_encrypt_weights_made, "Wraps the content key of a sealed model with the key of this model and version, which is made if there is none. The weights never travel. Seeds: EncryptModelWeights.") \
    X(DecryptModelWeights, "POST", "/v1/tenants/{tenant}/models/{model}/versions/{version}:decryptWeights", "model unwrap", DecryptModelWeightsRequest, DecryptModelWeightsAnswer, USE, SIGNED, RECEIPT, 10, false, cm_do_decrypt_weights, cm_do_decrypt_weights_made, "Releases the content key of a sealed model, as far as policy and daily budget allow. Seeds: DecryptModelWeights.") \
    \
    X(OpenSession, "POST", "/v1/tenants/{tenant}/sessions", NULL, OpenSessionRequest, OpenSessionAnswer, NONE, SIGNED, CHANGE, 5, false, cm_do_open_session, NULL, "Opens a session on this connection: requests under it carry an HMAC in place of a signature (spec/wire-auth.md).") \
    \
    X(RequestApproval, "POST", "/v1/tenants/{tenant}/approvals", "approval request", RequestApprovalRequest, Approval, NONE, SIGNED, CHANGE, 5, false, cm_do_request_approval, NULL, "Asks for the approval that a grant demands.") \
    X(Approve, "POST", "/v1/tenants/{tenant}/approvals/{id}:approve", "approval approve", ApprovalRequest, Approval, NONE, SIGNED, CHANGE, 5, false, cm_do_approve, NULL, "Approves. Whether that counts is up to the grant, which names its approvers.") \
    X(GetApproval, "GET", "/v1/tenants/{tenant}/approvals/{id}", "approval show", ApprovalRequest, Approval, READ, ANY, USE, 1, false, cm_do_get_approval, NULL, "Shows an approval.") \
    X(ListApprovals, "GET", "/v1/tenants/{tenant}/approvals", "approval list", ListApprovalsRequest, ListApprovalsAnswer, READ, ANY, USE, 5, false, cm_do_list_approvals, NULL, "Lists approvals by page.") \
    \
    X(GetCheckpoint, "GET", "/v1/log/checkpoint", "audit checkpoint", SystemRequest, CheckpointAnswer, NONE, NONE, OFF, 1, false, cm_do_checkpoint, NULL, "The log's signed checkpoint. Public: it shows nothing but a hash.") \
    X(GetTile, "GET", "/v1/log/tiles/{level}/{index}", NULL, TileRequest, TileAnswer, NONE, NONE, OFF, 1, false, cm_do_tile, NULL, "A tile of the log's tree. Public: it shows nothing but hashes.") \
    X(GetReceipt, "GET", "/v1/tenants/{tenant}/log/receipts/{leaf}", "audit receipt", ReceiptRequest, ReceiptAnswer, AUDIT, ANY, USE, 5, false, cm_do_receipt, NULL, "Proof for one leaf of the tenant.") \
    X(ListEntries, "GET", "/v1/tenants/{tenant}/log/entries", "audit list", ListEntriesRequest, ListEntriesAnswer, AUDIT, ANY, USE, 10, false, cm_do_list_entries, NULL, "The tenant's entries of a part of the log; the system's auditors see all.") \
    X(TailEntries, "GET", "/v1/tenants/{tenant}/log/tail", NULL, ListEntriesRequest, ListEntriesAnswer, AUDIT, ANY, USE, 10, true, cm_do_tail_entries, NULL, "The tenant's entries from a leaf on, and new ones as they come.") \
    \
    X(RotateRoot, "POST", "/v1/system:rotateRoot", "system rotate-root", SystemRequest, RotateAnswer, ADMIN, SIGNED, CHANGE, 60, false, cm_do_rotate_root, cm_do_rotate_root_made, "Wraps the tenants' key-encryption keys with the root now in force. No data is encrypted anew.") \
    X(SetDeviceWeight, "PUT", "/v1/system/devices/{device}/weight/{weight}", "hsm set-weight", SetDeviceWeightRequest, DeviceWeight, ADMIN, SIGNED, CHANGE, 5, false, cm_do_set_device_weight, NULL, "Changes the share of requests that a key device behind the root takes, at once and over restarts.") \
    X(MigrateDevice, "POST", "/v1/system/devices:migrate", "hsm migrate", MigrateDeviceRequest, DeviceMigration, EXPORT, SIGNED, CHANGE, 20, false, cm_do_migrate_device, NULL, "Brings the root from one key device to another while the server runs: a fresh key in the new one, wrapped by both, weights 10, 50, 100, then by the new one alone. Each step leaves an entry; one that was broken off goes on. No grant of the first administrator allows it.") \
    X(GetMigration, "GET", "/v1/system/devices/migration", "hsm migration", SystemRequest, DeviceMigration, ADMIN, ANY, USE, 1, false, cm_do_get_migration, NULL, "What a migration between key devices has reached.") \
    X(Status, "GET", "/v1/system/status", "system status", SystemRequest, StatusAnswer, ADMIN, ANY, USE, 1, false, cm_do_status, NULL, "How the server is doing.") \
    X(Health, "GET", "/v1/health", NULL, SystemRequest, HealthAnswer, NONE, NONE, OFF, 1, false, cm_do_health, NULL, "Whether requests are served. LP-325: HealthCheck; GetMetrics is GET /metrics.") \
    X(Version, "GET", "/v1/version", NULL, SystemRequest, VersionAnswer, NONE, NONE, OFF, 1, false, cm_do_version, NULL, "What is running.")

#define CM_OP(name, method, route, verb, request, answer, perm, auth, audit, cost, streams, prepare, finish, doc) \
    {#name, method, route, verb, &cm_message_##request, &cm_message_##answer, CM_PERM_##perm, CM_AUTH_##auth, CM_LEAF_##audit, cost, streams, prepare, finish, doc},
/* clang-format on */

const cm_op cm_ops[] = {CM_OPS(CM_OP)};
const size_t cm_ops_n = CM_COUNT(cm_ops);

const char *cm_perm_name(cm_perm p)
{
    static const char *const names[] = {"none",   "use",   "read", "manage",
                                        "export", "admin", "audit"};

    return (size_t)p < CM_COUNT(names) ? names[p] : "none";
}
