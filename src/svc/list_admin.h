#ifndef CM_SVC_LIST_ADMIN_H
#define CM_SVC_LIST_ADMIN_H
/* Messages about tenants, principals, policies, sessions, approvals, the log and the system. For
 * the form of a line see svc/list_keys.h. */
/* clang-format off */

#define CM_TENANT_NAME(F, M) \
    F(M, 1, tenant, TEXT, CM_FF_REQUIRED | CM_FF_PATH, 64, 0, NULL, NULL, "The tenant; `system` for the system's own.")
#define CM_PAGE(F, M) \
    F(M, 4, page_size, U64, CM_FF_QUERY, 1000, 0, NULL, NULL, "At most so many; 100 when absent.") \
    F(M, 5, page_token, TEXT, CM_FF_QUERY, 2048, 0, NULL, NULL, "What the page before gave as next_page_token.")
#define CM_NEXT_PAGE(F, M) \
    F(M, 2, next_page_token, TEXT, 0, 2048, 0, NULL, NULL, "For the next page; absent: this was the last.")
#define CM_ADMIN_LEAF(F, M) \
    F(M, 14, leaf, U64, 0, 0, 0, NULL, NULL, "Index of the decision's leaf in the log.")

#define CM_FIELDS_Empty(F, M) \
    F(M, 14, leaf, U64, 0, 0, 0, NULL, NULL, "Index of the decision's leaf in the log.")
#define CM_FIELDS_TenantRequest(F, M) CM_TENANT_NAME(F, M)
#define CM_FIELDS_SystemRequest(F, M) \
    F(M, 4, verbose, BOOL, CM_FF_QUERY, 0, 0, NULL, NULL, "Say more.")

#define CM_FIELDS_CreateTenantRequest(F, M) \
    F(M, 2, name, TEXT, CM_FF_REQUIRED, 64, 0, NULL, NULL, "Its name: a-z 0-9 - _ . : and at most 64.") \
    F(M, 4, rate, U64, 0, 10000000, 0, NULL, NULL, "Tokens a second for all of it; 0: no limit.") \
    F(M, 5, principal_rate, U64, 0, 10000000, 0, NULL, NULL, "Tokens a second for each principal; 0: no limit.") \
    F(M, 6, operation_rate, U64, 0, 10000000, 0, NULL, NULL, "Tokens a second for each operation; 0: no limit.") \
    F(M, 7, hsm, TEXT, 0, 32, 0, NULL, NULL, "A device of its own: the name of one of `hsm.providers` with `use: tenants`. Its keys can be used only while that is there.") \
    F(M, 8, hsm_label, TEXT, 0, 32, 0, NULL, NULL, "The AES-256 key in that device, made if it is not there; absent: the tenant's name.")
#define CM_FIELDS_Tenant(F, M) \
    F(M, 1, tenant, TEXT, 0, 64, 0, NULL, NULL, "Its name.") \
    F(M, 2, created_ms, U64, 0, 0, 0, NULL, NULL, "When it was made.") \
    F(M, 3, kek_version, U64, 0, 0, 0, NULL, NULL, "Version of the key over its keys.") \
    F(M, 4, rate, U64, 0, 0, 0, NULL, NULL, "Tokens a second for all of it; 0: no limit.") \
    F(M, 5, principal_rate, U64, 0, 0, 0, NULL, NULL, "Tokens a second for each principal.") \
    F(M, 6, operation_rate, U64, 0, 0, 0, NULL, NULL, "Tokens a second for each operation.") \
    F(M, 7, suspended, BOOL, 0, 0, 0, NULL, NULL, "Whether everything is refused.") \
    F(M, 8, custody, TEXT, 0, 32, 0, NULL, NULL, "With a device of its own: what that makes of its keys.") \
    F(M, 9, hsm, TEXT, 0, 32, 0, NULL, NULL, "That device; absent: none.") \
    F(M, 10, hsm_label, TEXT, 0, 32, 0, NULL, NULL, "The key in it.") \
    F(M, 11, hsm_provider, TEXT, 0, 64, 0, NULL, NULL, "Its maker and model.") \
    F(M, 12, hsm_serial, TEXT, 0, 20, 0, NULL, NULL, "Its serial number.") CM_ADMIN_LEAF(F, M)
#define CM_FIELDS_UpdateTenantRequest(F, M) CM_TENANT_NAME(F, M) \
    F(M, 4, rate, U64, 0, 10000000, 0, NULL, NULL, "Tokens a second for all of it; 0: no limit.") \
    F(M, 5, principal_rate, U64, 0, 10000000, 0, NULL, NULL, "Tokens a second for each principal.") \
    F(M, 6, operation_rate, U64, 0, 10000000, 0, NULL, NULL, "Tokens a second for each operation.") \
    F(M, 7, suspended, BOOL, 0, 0, 0, NULL, NULL, "Refuse everything of it until this is false again.") \
    F(M, 8, hsm, TEXT, 0, 32, 0, NULL, NULL, "Wrap its KEKs by this device from now on; `none`: by the root alone. The device before must be there. RotateTenantKek afterwards makes a KEK that only the new one ever wrapped.") \
    F(M, 9, hsm_label, TEXT, 0, 32, 0, NULL, NULL, "As of CreateTenant.")
#define CM_FIELDS_ListTenantsRequest(F, M) CM_PAGE(F, M)
#define CM_FIELDS_ListTenantsAnswer(F, M) \
    F(M, 1, tenants, MSG, CM_FF_REPEATED, 0, 1000, NULL, &cm_message_Tenant, "In order of names.") CM_NEXT_PAGE(F, M)
#define CM_FIELDS_ErasePersonalDataRequest(F, M) CM_TENANT_NAME(F, M) \
    F(M, 2, principal, TEXT, CM_FF_REQUIRED, 128, 0, NULL, NULL, "Whose: the principal is removed, and the salt that ties log entries to its name.")

#define CM_FIELDS_Credential(F, M) \
    F(M, 1, kind, ENUM, CM_FF_REQUIRED, 0, 0, cm_enum_credential, NULL, "What it is.") \
    F(M, 2, public_key, BYTES, 0, 2700, 0, NULL, NULL, "ml_dsa: the raw public key of ML-DSA-44, -65 or -87.") \
    F(M, 3, spki_sha256, BYTES, 0, 32, 0, NULL, NULL, "certificate: SHA-256 of the client certificate's SubjectPublicKeyInfo.") \
    F(M, 4, issuer, TEXT, 0, 256, 0, NULL, NULL, "oidc: the issuer, which PutIssuer must have pinned.") \
    F(M, 5, subject, TEXT, 0, 256, 0, NULL, NULL, "oidc: the subject.") \
    F(M, 6, id, BYTES, 0, 32, 0, NULL, NULL, "Names the credential; RemoveCredential takes it.") \
    F(M, 7, created_ms, U64, 0, 0, 0, NULL, NULL, "When it was added.")
#define CM_PRINCIPAL_NAME(F, M) CM_TENANT_NAME(F, M) \
    F(M, 2, principal, TEXT, CM_FF_REQUIRED | CM_FF_PATH, 128, 0, NULL, NULL, "The principal's name.")
#define CM_FIELDS_PrincipalRequest(F, M) CM_PRINCIPAL_NAME(F, M)
#define CM_FIELDS_CreatePrincipalRequest(F, M) CM_TENANT_NAME(F, M) \
    F(M, 2, principal, TEXT, CM_FF_REQUIRED, 128, 0, NULL, NULL, "The principal's name.") \
    F(M, 4, credentials, MSG, CM_FF_REPEATED, 0, 8, NULL, &cm_message_Credential, "How it proves who it is. API keys: see CreateApiKey.") \
    F(M, 5, rate, U64, 0, 10000000, 0, NULL, NULL, "Tokens a second; 0: the tenant's.")
#define CM_FIELDS_Principal(F, M) \
    F(M, 1, tenant, TEXT, 0, 64, 0, NULL, NULL, "The tenant.") \
    F(M, 2, principal, TEXT, 0, 128, 0, NULL, NULL, "Its name.") \
    F(M, 3, disabled, BOOL, 0, 0, 0, NULL, NULL, "Whether it is refused everywhere.") \
    F(M, 4, credentials, MSG, CM_FF_REPEATED, 0, 16, NULL, &cm_message_Credential, "How it proves who it is.") \
    F(M, 5, rate, U64, 0, 0, 0, NULL, NULL, "Tokens a second; 0: the tenant's.") \
    F(M, 6, created_ms, U64, 0, 0, 0, NULL, NULL, "When it was made.") CM_ADMIN_LEAF(F, M)
#define CM_FIELDS_ListPrincipalsRequest(F, M) CM_TENANT_NAME(F, M) CM_PAGE(F, M)
#define CM_FIELDS_ListPrincipalsAnswer(F, M) \
    F(M, 1, principals, MSG, CM_FF_REPEATED, 0, 1000, NULL, &cm_message_Principal, "In order of names.") CM_NEXT_PAGE(F, M)
#define CM_FIELDS_AddCredentialRequest(F, M) CM_PRINCIPAL_NAME(F, M) \
    F(M, 4, credential, MSG, CM_FF_REQUIRED, 0, 0, NULL, &cm_message_Credential, "The new one.")
#define CM_FIELDS_RemoveCredentialRequest(F, M) CM_PRINCIPAL_NAME(F, M) \
    F(M, 4, id, BYTES, CM_FF_REQUIRED, 32, 0, NULL, NULL, "As GetPrincipal shows it.")
#define CM_FIELDS_CreateApiKeyAnswer(F, M) \
    F(M, 1, api_key, TEXT, CM_FF_SECRET, 128, 0, NULL, NULL, "Shown now and never again; kept as a hash.") \
    F(M, 2, id, BYTES, 0, 32, 0, NULL, NULL, "For RemoveCredential.") \
    F(M, 3, expires_ms, U64, 0, 0, 0, NULL, NULL, "When it ends (`rotation.api` and its grace); absent: never.") CM_ADMIN_LEAF(F, M)
#define CM_FIELDS_PutIssuerRequest(F, M) CM_TENANT_NAME(F, M) \
    F(M, 2, issuer, TEXT, CM_FF_REQUIRED, 256, 0, NULL, NULL, "The `iss` of its tokens, to the letter.") \
    F(M, 4, audience, TEXT, CM_FF_REQUIRED, 256, 0, NULL, NULL, "The `aud` that tokens must carry.") \
    F(M, 5, jwks, TEXT, CM_FF_REQUIRED, 65536, 0, NULL, NULL, "Its key set (RFC 7517): pinned, never fetched.")

#define CM_FIELDS_Conditions(F, M) \
    F(M, 1, measurements, BYTES, CM_FF_REPEATED, 64, 64, NULL, NULL, "Attestation evidence shows one of these.") \
    F(M, 2, not_before_ms, U64, 0, 0, 0, NULL, NULL, "Not before.") \
    F(M, 3, not_after_ms, U64, 0, 0, 0, NULL, NULL, "Not after; 0: no end.") \
    F(M, 4, day_from, U64, 0, 1440, 0, NULL, NULL, "Minute of the UTC day from which on; with day_to.") \
    F(M, 5, day_to, U64, 0, 1440, 0, NULL, NULL, "Minute before which; smaller than day_from: over midnight.") \
    F(M, 6, purposes, TEXT, CM_FF_REPEATED, 128, 16, NULL, NULL, "The request states one of these.") \
    F(M, 7, min_tier, U64, 0, 4, 0, NULL, NULL, "Evidence shows this privacy tier at least.") \
    F(M, 8, approvals, U64, 0, 16, 0, NULL, NULL, "So many of the approvers have approved the request.") \
    F(M, 9, approvers, TEXT, CM_FF_REPEATED, 128, 32, NULL, NULL, "Principals of the tenant.") \
    F(M, 10, networks, TEXT, CM_FF_REPEATED, 64, 32, NULL, NULL, "The peer's address is in one of these, such as 10.0.0.0/8.") \
    F(M, 11, post_quantum, BOOL, 0, 0, 0, NULL, NULL, "The connection has a post-quantum key exchange.") \
    F(M, 12, rate, U64, 0, 1000000, 0, NULL, NULL, "At most so many uses in rate_seconds, over all principals.") \
    F(M, 13, rate_seconds, U64, 0, 86400, 0, NULL, NULL, "Period of rate; 1 when absent.") \
    F(M, 14, attested, TEXT, CM_FF_REPEATED, 128, 8, NULL, NULL, "Evidence meets one of these attestation policies of the tenant.")
#define CM_GRANT_FIELDS(F, M) \
    F(M, 4, effect, ENUM, 0, 0, 0, cm_enum_effect, NULL, "allow when absent. One deny beats all allows.") \
    F(M, 5, principals, TEXT, CM_FF_REPEATED | CM_FF_REQUIRED, 128, 64, NULL, NULL, "Names; `*` alone is every principal of the tenant.") \
    F(M, 6, actions, TEXT, CM_FF_REPEATED | CM_FF_REQUIRED, 64, 64, NULL, NULL, "Operations such as `Sign`, or `use`, `read`, `manage`, `export`, `admin`, `audit`, or `*`.") \
    F(M, 7, resource_keyspace, TEXT, 0, 128, 0, NULL, NULL, "Only keys of this keyspace.") \
    F(M, 8, resource_key, TEXT, 0, 128, 0, NULL, NULL, "Only this key; needs resource_keyspace.") \
    F(M, 9, resource_tag, TEXT, 0, 64, 0, NULL, NULL, "Only keys with this tag; not with the other two.") \
    F(M, 10, conditions, MSG, 0, 0, 0, NULL, &cm_message_Conditions, "All must hold.")
#define CM_GRANT_NAME(F, M) CM_TENANT_NAME(F, M) \
    F(M, 2, grant, TEXT, CM_FF_REQUIRED | CM_FF_PATH, 128, 0, NULL, NULL, "The grant's name.")
#define CM_FIELDS_GrantRequest(F, M) CM_GRANT_NAME(F, M)
#define CM_FIELDS_PutGrantRequest(F, M) CM_GRANT_NAME(F, M) CM_GRANT_FIELDS(F, M)
#define CM_FIELDS_Grant(F, M) \
    F(M, 1, tenant, TEXT, 0, 64, 0, NULL, NULL, "The tenant.") \
    F(M, 2, grant, TEXT, 0, 128, 0, NULL, NULL, "Its name.") CM_GRANT_FIELDS(F, M) CM_ADMIN_LEAF(F, M)
#define CM_FIELDS_ListGrantsRequest(F, M) CM_TENANT_NAME(F, M) CM_PAGE(F, M)
#define CM_FIELDS_ListGrantsAnswer(F, M) \
    F(M, 1, grants, MSG, CM_FF_REPEATED, 0, 1000, NULL, &cm_message_Grant, "In order of names.") CM_NEXT_PAGE(F, M)
#define CM_FIELDS_ExplainRequest(F, M) CM_TENANT_NAME(F, M) \
    F(M, 2, key, TEXT, 0, 128, 0, NULL, NULL, "The key, if it is about one.") \
    F(M, 3, keyspace, TEXT, 0, 128, 0, NULL, NULL, "Its keyspace; `default` when absent.") \
    F(M, 4, principal, TEXT, CM_FF_REQUIRED, 128, 0, NULL, NULL, "Who would ask.") \
    F(M, 5, action, TEXT, CM_FF_REQUIRED, 64, 0, NULL, NULL, "The operation, such as `Sign`.") \
    F(M, 6, address, TEXT, 0, 64, 0, NULL, NULL, "From where.") \
    F(M, 7, time_ms, U64, 0, 0, 0, NULL, NULL, "When; absent: now.") \
    F(M, 8, post_quantum, BOOL, 0, 0, 0, NULL, NULL, "Over a post-quantum connection.") \
    F(M, 9, measurement, BYTES, 0, 64, 0, NULL, NULL, "As if evidence had shown it.") \
    F(M, 10, tier, U64, 0, 4, 0, NULL, NULL, "As if evidence had shown it.") \
    F(M, 11, for_purpose, TEXT, 0, 128, 0, NULL, NULL, "The purpose it would state.")
#define CM_FIELDS_ExplainAnswer(F, M) \
    F(M, 1, allowed, BOOL, 0, 0, 0, NULL, NULL, "The decision.") \
    F(M, 2, grant, TEXT, 0, 128, 0, NULL, NULL, "The grant that decided, if one did.") \
    F(M, 3, sentence, TEXT, 0, 512, 0, NULL, NULL, "Why.") CM_ADMIN_LEAF(F, M)

#define CM_ATTEST_POLICY_NAME(F, M) CM_TENANT_NAME(F, M) \
    F(M, 2, policy, TEXT, CM_FF_REQUIRED | CM_FF_PATH, 128, 0, NULL, NULL, "The policy's name: grants and keys refer to it.")
#define CM_FIELDS_AttestPolicyRequest(F, M) CM_ATTEST_POLICY_NAME(F, M) \
    F(M, 4, version, U64, CM_FF_QUERY, 0, 0, NULL, NULL, "An older version; absent: the one in force.")
#define CM_FIELDS_PutAttestPolicyRequest(F, M) CM_ATTEST_POLICY_NAME(F, M) \
    F(M, 4, file, BYTES, CM_FF_REQUIRED, 65536, 0, NULL, NULL, "The policy file (spec/appraise.md).") \
    F(M, 5, signatures, BYTES, CM_FF_REPEATED | CM_FF_REQUIRED, 8192, 16, NULL, NULL, "Of two signers at least, whom the policy in force names; of the first policy its own: what `casemate attest policy sign` made.") \
    F(M, 6, keys, BYTES, CM_FF_REPEATED | CM_FF_REQUIRED, 8192, 16, NULL, NULL, "The signers' public keys, as files.")
#define CM_FIELDS_AttestPolicy(F, M) \
    F(M, 1, tenant, TEXT, 0, 64, 0, NULL, NULL, "The tenant.") \
    F(M, 2, policy, TEXT, 0, 128, 0, NULL, NULL, "Its name.") \
    F(M, 4, version, U64, 0, 0, 0, NULL, NULL, "What the file says.") \
    F(M, 5, sha256, BYTES, 0, 32, 0, NULL, NULL, "Of the file.") \
    F(M, 6, created_ms, U64, 0, 0, 0, NULL, NULL, "Since when it is in force.") \
    F(M, 7, file, BYTES, 0, 65536, 0, NULL, NULL, "The file; lists leave it out.") CM_ADMIN_LEAF(F, M)
#define CM_FIELDS_ListAttestPoliciesRequest(F, M) CM_TENANT_NAME(F, M) CM_PAGE(F, M)
#define CM_FIELDS_ListAttestPoliciesAnswer(F, M) \
    F(M, 1, policies, MSG, CM_FF_REPEATED, 0, 1000, NULL, &cm_message_AttestPolicy, "In order of names.") CM_NEXT_PAGE(F, M)
#define CM_FIELDS_AttestChallengeRequest(F, M) CM_TENANT_NAME(F, M) \
    F(M, 4, ek_certificate, BYTES, 0, 4096, 0, NULL, NULL, "TPM: the certificate of its endorsement key (DER), for a credential that only it opens.") \
    F(M, 5, ak, BYTES, 0, 1024, 0, NULL, NULL, "TPM: the public area of its attestation key (TPM2B_PUBLIC); with ek_certificate.")
#define CM_FIELDS_AttestChallengeAnswer(F, M) \
    F(M, 1, nonce, BYTES, 0, 32, 0, NULL, NULL, "What evidence has to be bound to (spec/attest.md, section 10).") \
    F(M, 2, challenge, BYTES, 0, 256, 0, NULL, NULL, "To be brought along with the evidence, once.") \
    F(M, 3, expires_ms, U64, 0, 0, 0, NULL, NULL, "When it is over.") \
    F(M, 4, credential, BYTES, 0, 1024, 0, NULL, NULL, "TPM: what TPM2_ActivateCredential opens; what it gives goes into the evidence (part `activation`).") CM_ADMIN_LEAF(F, M)

#define CM_FIELDS_OpenSessionRequest(F, M) CM_TENANT_NAME(F, M) \
    F(M, 4, seconds, U64, 0, 86400, 0, NULL, NULL, "How long at most; 3600 when absent.")
#define CM_FIELDS_OpenSessionAnswer(F, M) \
    F(M, 1, session, TEXT, 0, 64, 0, NULL, NULL, "Its key id. Both ends derive the key from the TLS connection (spec/wire-auth.md): it holds on this one alone.") \
    F(M, 2, expires_ms, U64, 0, 0, 0, NULL, NULL, "When it ends.") CM_ADMIN_LEAF(F, M)

#define CM_FIELDS_RequestApprovalRequest(F, M) CM_TENANT_NAME(F, M) \
    F(M, 2, key, TEXT, 0, 128, 0, NULL, NULL, "The key it is about.") \
    F(M, 3, keyspace, TEXT, 0, 128, 0, NULL, NULL, "Its keyspace; `default` when absent.") \
    F(M, 4, action, TEXT, CM_FF_REQUIRED, 64, 0, NULL, NULL, "The operation, such as `ExportWrapped`.") \
    F(M, 5, reason, TEXT, 0, 512, 0, NULL, NULL, "For those who decide.") \
    F(M, 6, uses, U64, 0, 1000, 0, NULL, NULL, "How often it may be used; 1 when absent.") \
    F(M, 7, seconds, U64, 0, 604800, 0, NULL, NULL, "How long it lives; 86400 when absent.")
#define CM_FIELDS_ApprovalRequest(F, M) CM_TENANT_NAME(F, M) \
    F(M, 2, id, TEXT, CM_FF_REQUIRED | CM_FF_PATH, 64, 0, NULL, NULL, "The approval's id.")
#define CM_FIELDS_Approval(F, M) \
    F(M, 1, tenant, TEXT, 0, 64, 0, NULL, NULL, "The tenant.") \
    F(M, 2, key, TEXT, 0, 128, 0, NULL, NULL, "The key it is about.") \
    F(M, 3, keyspace, TEXT, 0, 128, 0, NULL, NULL, "Its keyspace.") \
    F(M, 4, action, TEXT, 0, 64, 0, NULL, NULL, "The operation.") \
    F(M, 5, reason, TEXT, 0, 512, 0, NULL, NULL, "What the requester says.") \
    F(M, 6, uses, U64, 0, 0, 0, NULL, NULL, "How often it may be used.") \
    F(M, 7, expires_ms, U64, 0, 0, 0, NULL, NULL, "When it ends.") \
    F(M, 8, id, TEXT, 0, 64, 0, NULL, NULL, "Its id: requests bring it as `approval`.") \
    F(M, 9, requester, TEXT, 0, 128, 0, NULL, NULL, "Who asked; nobody else can use it.") \
    F(M, 10, approved_by, TEXT, CM_FF_REPEATED, 128, 32, NULL, NULL, "Who approved.") CM_ADMIN_LEAF(F, M)
#define CM_FIELDS_ListApprovalsRequest(F, M) CM_TENANT_NAME(F, M) CM_PAGE(F, M)
#define CM_FIELDS_ListApprovalsAnswer(F, M) \
    F(M, 1, approvals, MSG, CM_FF_REPEATED, 0, 1000, NULL, &cm_message_Approval, "In order of ids.") CM_NEXT_PAGE(F, M)

#define CM_FIELDS_CheckpointAnswer(F, M) \
    F(M, 1, checkpoint, TEXT, 0, 65536, 0, NULL, NULL, "The signed checkpoint, a C2SP note.")
#define CM_FIELDS_ReceiptRequest(F, M) CM_TENANT_NAME(F, M) \
    F(M, 2, leaf, U64, CM_FF_PATH, 0, 0, NULL, NULL, "Index of the leaf.")
#define CM_FIELDS_ReceiptAnswer(F, M) \
    F(M, 1, receipt, BYTES, 0, 65536, 0, NULL, NULL, "Entry, proof and checkpoint (spec/audit.md).")
#define CM_FIELDS_TileRequest(F, M) \
    F(M, 2, level, U64, CM_FF_PATH, 63, 0, NULL, NULL, "Level of the tile.") \
    F(M, 3, index, U64, CM_FF_PATH, 0, 0, NULL, NULL, "Index of the tile.") \
    F(M, 4, width, U64, CM_FF_QUERY, 256, 0, NULL, NULL, "Hashes in it; 256 when absent.")
#define CM_FIELDS_TileAnswer(F, M) \
    F(M, 1, tile, BYTES, 0, 8192, 0, NULL, NULL, "Hashes of 32 bytes.")
#define CM_FIELDS_ListEntriesRequest(F, M) CM_TENANT_NAME(F, M) \
    F(M, 4, from, U64, CM_FF_QUERY, 0, 0, NULL, NULL, "First index.") \
    F(M, 5, count, U64, CM_FF_QUERY, 1000, 0, NULL, NULL, "At most so many leaves are looked at; 100 when absent.")
#define CM_FIELDS_LogEntry(F, M) \
    F(M, 1, leaf, U64, 0, 0, 0, NULL, NULL, "Its index.") \
    F(M, 2, time_ms, U64, 0, 0, 0, NULL, NULL, "When.") \
    F(M, 3, tenant, TEXT, 0, 64, 0, NULL, NULL, "The tenant.") \
    F(M, 4, operation, TEXT, 0, 64, 0, NULL, NULL, "What was asked.") \
    F(M, 5, resource, BYTES, 0, 1024, 0, NULL, NULL, "On what: a path of typed parts.") \
    F(M, 6, key_version, U64, 0, 0, 0, NULL, NULL, "The key's version.") \
    F(M, 7, allowed, BOOL, 0, 0, 0, NULL, NULL, "The decision.") \
    F(M, 8, reason, TEXT, 0, 64, 0, NULL, NULL, "Name of the reason of a refusal.") \
    F(M, 9, principal, BYTES, 0, 64, 0, NULL, NULL, "Who, as a salted hash.") \
    F(M, 10, id, BYTES, 0, 16, 0, NULL, NULL, "The request's id.") \
    F(M, 11, entry, BYTES, 0, 8192, 0, NULL, NULL, "The leaf as it stands in the log.") \
    F(M, 12, custody, TEXT, 0, 32, 0, NULL, NULL, "Of a key that was made, brought or destroyed: hsm-native, hsm-wrapped, hsm-wrapped-classical, software.")
#define CM_FIELDS_ListEntriesAnswer(F, M) \
    F(M, 1, entries, MSG, CM_FF_REPEATED, 0, 1000, NULL, &cm_message_LogEntry, "The tenant's entries among those looked at.") \
    F(M, 2, next, U64, 0, 0, 0, NULL, NULL, "Go on from here.") \
    F(M, 3, size, U64, 0, 0, 0, NULL, NULL, "Leaves in the log.")

#define CM_FIELDS_HealthAnswer(F, M) \
    F(M, 1, status, TEXT, 0, 16, 0, NULL, NULL, "`serving`.") \
    F(M, 2, time_ms, U64, 0, 0, 0, NULL, NULL, "The server's clock: what is signed 300 s away from it is refused.")
#define CM_FIELDS_VersionAnswer(F, M) \
    F(M, 1, version, TEXT, 0, 32, 0, NULL, NULL, "Of the server.") \
    F(M, 2, interface, TEXT, 0, 16, 0, NULL, NULL, "Of the interface: v1.") \
    F(M, 3, cryptography, TEXT, 0, 128, 0, NULL, NULL, "The library behind it.")
#define CM_FIELDS_StatusAnswer(F, M) \
    F(M, 1, time_ms, U64, 0, 0, 0, NULL, NULL, "The server's clock.") \
    F(M, 2, shared, BOOL, 0, 0, 0, NULL, NULL, "Whether other nodes share the store.") \
    F(M, 3, calls, U64, 0, 0, 0, NULL, NULL, "Calls answered since it started.") \
    F(M, 4, refused, U64, 0, 0, 0, NULL, NULL, "Of these, refused.") \
    F(M, 5, retries, U64, 0, 0, 0, NULL, NULL, "Times a call began anew after a conflict.") \
    F(M, 6, cached_rows, U64, 0, 0, 0, NULL, NULL, "Rows held in memory.") CM_ADMIN_LEAF(F, M)
#define CM_FIELDS_RotateAnswer(F, M) \
    F(M, 1, version, U64, 0, 0, 0, NULL, NULL, "The new version.") \
    F(M, 2, rewrapped, U64, 0, 0, 0, NULL, NULL, "Keys wrapped anew by this call.") \
    F(M, 3, remaining, BOOL, 0, 0, 0, NULL, NULL, "More are left: call again, or the scheduler will.") CM_ADMIN_LEAF(F, M)

#define CM_FIELDS_SetDeviceWeightRequest(F, M) \
    F(M, 2, device, TEXT, CM_FF_REQUIRED | CM_FF_PATH, 32, 0, NULL, NULL, "The device, as `hsm.providers` names it.") \
    F(M, 4, weight, U64, CM_FF_PATH, 1000, 0, NULL, NULL, "Its share, beside the others' weights; 0: a spare.")
#define CM_FIELDS_DeviceWeight(F, M) \
    F(M, 1, device, TEXT, 0, 32, 0, NULL, NULL, "The device.") \
    F(M, 2, weight, U64, 0, 0, 0, NULL, NULL, "Its weight from now on.") CM_ADMIN_LEAF(F, M)
#define CM_FIELDS_MigrateDeviceRequest(F, M) \
    F(M, 4, from, TEXT, CM_FF_REQUIRED, 32, 0, NULL, NULL, "The device that holds the root now.") \
    F(M, 5, to, TEXT, CM_FF_REQUIRED, 32, 0, NULL, NULL, "The device that takes its place.") \
    F(M, 6, pause_seconds, U64, 0, 604800, 0, NULL, NULL, "Between two steps at least; 0: as soon as the new one is well.") \
    F(M, 17, approval, TEXT, 0, 64, 0, NULL, NULL, "The id of an approval, where the policy asks for one; its keyspace is `from`, its key `to`.")
#define CM_FIELDS_DeviceMigration(F, M) \
    F(M, 1, from, TEXT, 0, 32, 0, NULL, NULL, "The old device.") \
    F(M, 2, to, TEXT, 0, 32, 0, NULL, NULL, "The new one.") \
    F(M, 3, step, TEXT, 0, 16, 0, NULL, NULL, "What it has reached: asked, both, half, all; none: there is none under way.") CM_ADMIN_LEAF(F, M)

#define CM_MESSAGES_ADMIN(X) \
    X(AttestPolicyRequest, "Names an attestation policy.") \
    X(PutAttestPolicyRequest, "A version of an attestation policy, agreed on by two of its signers.") \
    X(AttestPolicy, "A version of an attestation policy.") \
    X(ListAttestPoliciesRequest, "A page of attestation policies.") \
    X(ListAttestPoliciesAnswer, "A page of attestation policies.") \
    X(AttestChallengeRequest, "Whose evidence is going to be shown.") \
    X(AttestChallengeAnswer, "What fresh evidence is bound to.") \
    X(Empty, "Nothing but the leaf of the decision.") \
    X(SystemRequest, "About the system.") \
    X(TenantRequest, "Names a tenant.") \
    X(CreateTenantRequest, "A new tenant.") \
    X(Tenant, "A tenant.") \
    X(UpdateTenantRequest, "What is set is changed.") \
    X(ListTenantsRequest, "A page of tenants.") \
    X(ListTenantsAnswer, "A page of tenants.") \
    X(ErasePersonalDataRequest, "Whose personal data.") \
    X(Credential, "One way for a principal to prove who it is.") \
    X(PrincipalRequest, "Names a principal.") \
    X(CreatePrincipalRequest, "A new principal.") \
    X(Principal, "Someone who can ask for something.") \
    X(ListPrincipalsRequest, "A page of principals.") \
    X(ListPrincipalsAnswer, "A page of principals.") \
    X(AddCredentialRequest, "One more credential.") \
    X(RemoveCredentialRequest, "One credential less.") \
    X(CreateApiKeyAnswer, "A new API key.") \
    X(PutIssuerRequest, "An OIDC issuer whose tokens are taken.") \
    X(Conditions, "When a grant holds.") \
    X(GrantRequest, "Names a grant.") \
    X(PutGrantRequest, "A grant, new or in place of the one of that name.") \
    X(Grant, "Who may do what with what, and when.") \
    X(ListGrantsRequest, "A page of grants.") \
    X(ListGrantsAnswer, "A page of grants.") \
    X(ExplainRequest, "A question about a decision.") \
    X(ExplainAnswer, "The decision and why.") \
    X(OpenSessionRequest, "A session on this connection.") \
    X(OpenSessionAnswer, "A session.") \
    X(RequestApprovalRequest, "Asks others to approve.") \
    X(ApprovalRequest, "Names an approval.") \
    X(Approval, "An approval, given or not.") \
    X(ListApprovalsRequest, "A page of approvals.") \
    X(ListApprovalsAnswer, "A page of approvals.") \
    X(CheckpointAnswer, "The head of the log.") \
    X(ReceiptRequest, "Names a leaf.") \
    X(ReceiptAnswer, "Proof for one leaf.") \
    X(TileRequest, "Names a tile of the log's tree.") \
    X(TileAnswer, "A tile.") \
    X(ListEntriesRequest, "Part of the log.") \
    X(LogEntry, "One decision.") \
    X(ListEntriesAnswer, "Part of the log.") \
    X(SetDeviceWeightRequest, "A device's share.") \
    X(DeviceWeight, "A device's share.") \
    X(MigrateDeviceRequest, "From one device to another.") \
    X(DeviceMigration, "What a migration has reached.") \
    X(HealthAnswer, "Whether requests are served.") \
    X(VersionAnswer, "What is running.") \
    X(StatusAnswer, "How it is doing.") \
    X(RotateAnswer, "What a rotation did.")

/* clang-format on */
#endif
