#ifndef CM_SVC_LIST_RECORDS_H
#define CM_SVC_LIST_RECORDS_H
/* What the service's rows hold (spec/kms.md, "Rows"), in protobuf form. Field 15 is the record's
 * format: a reader refuses what it does not know (V-2). For the form of a line see
 * svc/list_keys.h. */
/* clang-format off */

#define CM_RECORD_FORMAT(F, M) F(M, 15, format, U64, 0, 0, 0, NULL, NULL, "1.")

#define CM_FIELDS_TenantRecord(F, M) \
    F(M, 1, created_ms, U64, 0, 0, 0, NULL, NULL, "When it was made.") \
    F(M, 2, rate, U64, 0, 0, 0, NULL, NULL, "Tokens a second.") \
    F(M, 3, principal_rate, U64, 0, 0, 0, NULL, NULL, "Tokens a second and principal.") \
    F(M, 4, operation_rate, U64, 0, 0, 0, NULL, NULL, "Tokens a second and operation.") \
    F(M, 5, suspended, BOOL, 0, 0, 0, NULL, NULL, "Refuse everything.") \
    F(M, 6, hsm, TEXT, 0, 32, 0, NULL, NULL, "The device that its KEKs are under; absent: none of its own.") \
    F(M, 7, hsm_label, TEXT, 0, 32, 0, NULL, NULL, "Of the key in that device.") \
    F(M, 8, hsm_provider, TEXT, 0, 64, 0, NULL, NULL, "The device's maker and model.") \
    F(M, 9, hsm_serial, TEXT, 0, 20, 0, NULL, NULL, "Its serial number.") \
    F(M, 10, custody, TEXT, 0, 32, 0, NULL, NULL, "What that makes of its keys.") \
    CM_RECORD_FORMAT(F, M)
#define CM_FIELDS_KekVersion(F, M) \
    F(M, 1, version, U64, 0, 0, 0, NULL, NULL, "Counts from 1.") \
    F(M, 2, sealed, BYTES, 0, 4096, 0, NULL, NULL, "Sealed to the root.") \
    F(M, 3, created_ms, U64, 0, 0, 0, NULL, NULL, "When it was made.")
#define CM_FIELDS_KekRecord(F, M) \
    F(M, 1, versions, MSG, CM_FF_REPEATED, 0, 16, NULL, &cm_message_KekVersion, "The newest last. The first also gives the row key.") \
    F(M, 2, row_key_version, U64, 0, 0, 0, NULL, NULL, "The version that seals the tenant's rows.") \
    CM_RECORD_FORMAT(F, M)
#define CM_FIELDS_PrincipalRecord(F, M) \
    F(M, 1, disabled, BOOL, 0, 0, 0, NULL, NULL, "Refused everywhere.") \
    F(M, 2, credentials, MSG, CM_FF_REPEATED, 0, 16, NULL, &cm_message_Credential, "API keys: id alone; the hash is in its own row.") \
    F(M, 3, rate, U64, 0, 0, 0, NULL, NULL, "Tokens a second.") \
    F(M, 4, created_ms, U64, 0, 0, 0, NULL, NULL, "When it was made.") \
    F(M, 5, salt, BYTES, 0, 32, 0, NULL, NULL, "Ties log entries to the name: dropped with the row.") \
    F(M, 6, blind, BYTES, 0, 32, 0, NULL, NULL, "What stands for the name in log entries.") \
    CM_RECORD_FORMAT(F, M)
#define CM_FIELDS_CredentialRecord(F, M) \
    F(M, 1, principal, TEXT, 0, 128, 0, NULL, NULL, "Whose.") \
    F(M, 2, public_key, BYTES, 0, 2700, 0, NULL, NULL, "ml_dsa: the raw key.") \
    F(M, 3, hash, BYTES, 0, 32, 0, NULL, NULL, "api_key: SHA-256 of the secret.") \
    F(M, 4, expires_ms, U64, 0, 0, 0, NULL, NULL, "api_key: when it ends; 0: never.") \
    CM_RECORD_FORMAT(F, M)
#define CM_FIELDS_IssuerRecord(F, M) \
    F(M, 1, audience, TEXT, 0, 256, 0, NULL, NULL, "The pinned audience.") \
    F(M, 2, jwks, TEXT, 0, 65536, 0, NULL, NULL, "The pinned keys.") \
    CM_RECORD_FORMAT(F, M)
#define CM_FIELDS_GrantRecord(F, M) CM_GRANT_FIELDS(F, M) CM_RECORD_FORMAT(F, M)
#define CM_FIELDS_GenerationRecord(F, M) \
    F(M, 1, changes, U64, 0, 0, 0, NULL, NULL, "What has been taken back or changed so far.") \
    CM_RECORD_FORMAT(F, M)
#define CM_FIELDS_SealedVersion(F, M) \
    F(M, 1, version, U64, 0, 0, 0, NULL, NULL, "Counts from 1.") \
    F(M, 2, state, U64, 0, 0, 0, NULL, NULL, "cm_key_state.") \
    F(M, 3, created_ms, U64, 0, 0, 0, NULL, NULL, "When it was made.") \
    F(M, 4, kek_version, U64, 0, 0, 0, NULL, NULL, "Of the tenant KEK it is sealed under.") \
    F(M, 5, sealed, BYTES, 0, 16384, 0, NULL, NULL, "The sealed key; gone once destroyed.") \
    F(M, 6, public_key, BYTES, 0, 8192, 0, NULL, NULL, "If it has one.") \
    F(M, 7, custody, TEXT, 0, 32, 0, NULL, NULL, "Who holds it.") \
    F(M, 8, activate_at_ms, U64, 0, 0, 0, NULL, NULL, "When a pre-active one begins.") \
    F(M, 9, device, TEXT, 0, 128, 0, NULL, NULL, "Of hsm-native: which it is in.")
#define CM_FIELDS_KeyRecord(F, M) \
    F(M, 1, type, U64, 0, 0, 0, NULL, NULL, "cm_key_type.") \
    F(M, 2, versions, MSG, CM_FF_REPEATED, 0, 64, NULL, &cm_message_SealedVersion, "The newest last.") \
    F(M, 3, min_decrypt_version, U64, 0, 0, 0, NULL, NULL, "Older ones process nothing.") \
    F(M, 4, tags, TEXT, CM_FF_REPEATED, 64, 16, NULL, NULL, "For policies.") \
    F(M, 5, exportable, BOOL, 0, 0, 0, NULL, NULL, "May be exported.") \
    F(M, 6, rotation_days, U64, 0, 0, 0, NULL, NULL, "Period.") \
    F(M, 7, next_rotation_ms, U64, 0, 0, 0, NULL, NULL, "Due.") \
    F(M, 8, destroy_at_ms, U64, 0, 0, 0, NULL, NULL, "Destruction is pending until then.") \
    F(M, 9, daily_budget, U64, 0, 0, 0, NULL, NULL, "Decryptions a day.") \
    F(M, 10, rate, U64, 0, 0, 0, NULL, NULL, "Tokens a second.") \
    F(M, 11, created_ms, U64, 0, 0, 0, NULL, NULL, "When it was made.") \
    F(M, 12, model, BOOL, 0, 0, 0, NULL, NULL, "A model's: used by its operations alone.") \
    F(M, 13, due_ms, U64, 0, 0, 0, NULL, NULL, "Where the scheduler's row of it stands; 0: none.") \
    F(M, 14, destroyed, BOOL, 0, 0, 0, NULL, NULL, "All versions are gone.") \
    F(M, 16, cosigner, TEXT, 0, 128, 0, NULL, NULL, "Signs receipts and settlements with it.") \
    F(M, 17, release_policy, TEXT, 0, 128, 0, NULL, NULL, "What it opens leaves under this attestation policy alone.") \
    CM_RECORD_FORMAT(F, M)
#define CM_FIELDS_ModelRecord(F, M) \
    F(M, 1, type, U64, 0, 0, 0, NULL, NULL, "cm_key_type of its keys.") \
    F(M, 2, daily_budget, U64, 0, 0, 0, NULL, NULL, "Releases a day.") \
    F(M, 3, rotation_days, U64, 0, 0, 0, NULL, NULL, "Period.") \
    F(M, 4, created_ms, U64, 0, 0, 0, NULL, NULL, "When it was made.") \
    F(M, 5, release_policy, TEXT, 0, 128, 0, NULL, NULL, "That its keys have.") \
    CM_RECORD_FORMAT(F, M)
#define CM_FIELDS_ApprovalRecord(F, M) \
    F(M, 1, requester, TEXT, 0, 128, 0, NULL, NULL, "Who asked.") \
    F(M, 2, key, TEXT, 0, 128, 0, NULL, NULL, "The key.") \
    F(M, 3, keyspace, TEXT, 0, 128, 0, NULL, NULL, "Its keyspace.") \
    F(M, 4, action, TEXT, 0, 64, 0, NULL, NULL, "The operation.") \
    F(M, 5, why, TEXT, 0, 512, 0, NULL, NULL, "What the requester says.") \
    F(M, 6, uses, U64, 0, 0, 0, NULL, NULL, "How often.") \
    F(M, 7, expires_ms, U64, 0, 0, 0, NULL, NULL, "When it ends.") \
    F(M, 8, approved_by, TEXT, CM_FF_REPEATED, 128, 32, NULL, NULL, "Who approved.") \
    CM_RECORD_FORMAT(F, M)
#define CM_FIELDS_DueRecord(F, M) \
    F(M, 1, keyspace, TEXT, 0, 128, 0, NULL, NULL, "Of the key that is due.") \
    F(M, 2, key, TEXT, 0, 128, 0, NULL, NULL, "Its name.") \
    CM_RECORD_FORMAT(F, M)
#define CM_FIELDS_SpentRecord(F, M) \
    F(M, 1, ranges, BYTES, 0, 256, 0, NULL, NULL, "First and last second of each, 8 bytes each.") \
    CM_RECORD_FORMAT(F, M)
#define CM_FIELDS_SettlementRecord(F, M) \
    F(M, 1, record, BYTES, 0, 8192, 0, NULL, NULL, "As it was answered.") \
    F(M, 2, digest, BYTES, 0, 32, 0, NULL, NULL, "Of its statement.") \
    F(M, 3, version, U64, 0, 0, 0, NULL, NULL, "Of the key.") \
    F(M, 4, key, BYTES, 0, 1024, 0, NULL, NULL, "The key's path.") \
    F(M, 5, second_key, TEXT, 0, 128, 0, NULL, NULL, "As it was asked.") \
    CM_RECORD_FORMAT(F, M)

#define CM_FIELDS_AttestPolicyRecord(F, M) \
    F(M, 1, file, BYTES, 0, 65536, 0, NULL, NULL, "As it was given.") \
    F(M, 2, sha256, BYTES, 0, 32, 0, NULL, NULL, "Of it.") \
    F(M, 3, version, U64, 0, 0, 0, NULL, NULL, "That it says.") \
    F(M, 4, created_ms, U64, 0, 0, 0, NULL, NULL, "Since when.") \
    F(M, 5, signatures, BYTES, CM_FF_REPEATED, 8192, 16, NULL, NULL, "Who agreed.") \
    CM_RECORD_FORMAT(F, M)
#define CM_FIELDS_ChallengeKeyRecord(F, M) \
    F(M, 1, key, BYTES, CM_FF_SECRET, 32, 0, NULL, NULL, "Challenges of the tenant are made with it.") \
    CM_RECORD_FORMAT(F, M)
#define CM_FIELDS_RcarRecord(F, M) \
    F(M, 1, evidence, BYTES, 0, 196608, 0, NULL, NULL, "Of the machine.") \
    F(M, 2, event_log, BYTES, 0, 196608, 0, NULL, NULL, "Where it is not in the evidence.") \
    F(M, 3, devices, BYTES, CM_FF_REPEATED, 65536, 8, NULL, NULL, "Evidence of its devices.") \
    F(M, 4, fresh, BYTES, 0, 64, 0, NULL, NULL, "What the machine's is bound to.") \
    F(M, 5, device_fresh, BYTES, 0, 32, 0, NULL, NULL, "What the devices' is bound to.") \
    F(M, 6, key, BYTES, 0, 1184, 0, NULL, NULL, "The attested key.") \
    F(M, 7, ek, BYTES, 0, 32, 0, NULL, NULL, "Of the TPM that a credential was made for.") \
    F(M, 8, name, BYTES, 0, 66, 0, NULL, NULL, "Of its attestation key; absent: none was made.") \
    F(M, 9, secret, BYTES, CM_FF_SECRET, 32, 0, NULL, NULL, "In the credential.") \
    F(M, 10, expires_ms, U64, 0, 0, 0, NULL, NULL, "When the session is over.") \
    CM_RECORD_FORMAT(F, M)
#define CM_FIELDS_DeviceRecord(F, M) \
    F(M, 1, name, TEXT, 0, 32, 0, NULL, NULL, "The device.") \
    F(M, 2, weight, U64, 0, 1000, 0, NULL, NULL, "Its weight.") \
    F(M, 3, retired, BOOL, 0, 0, 0, NULL, NULL, "It is asked for nothing.")
#define CM_FIELDS_DevicesRecord(F, M) \
    F(M, 1, devices, MSG, CM_FF_REPEATED, 0, 8, NULL, &cm_message_DeviceRecord, "Those that differ from the configuration.") \
    F(M, 2, from, TEXT, 0, 32, 0, NULL, NULL, "Of a migration: the old device.") \
    F(M, 3, to, TEXT, 0, 32, 0, NULL, NULL, "The new one.") \
    F(M, 4, step, U64, 0, 4, 0, NULL, NULL, "cm_migrate_step.") \
    F(M, 5, since_ms, U64, 0, 0, 0, NULL, NULL, "When it was reached.") \
    F(M, 6, pause_seconds, U64, 0, 604800, 0, NULL, NULL, "Between two steps at least.") \
    CM_RECORD_FORMAT(F, M)

#define CM_MESSAGES_RECORDS(X) \
    X(TenantRecord, "A tenant's row.") \
    X(KekVersion, "One version of a tenant's KEK.") \
    X(KekRecord, "A tenant's KEKs, readable before its rows are.") \
    X(PrincipalRecord, "A principal's row.") \
    X(CredentialRecord, "From a credential to its principal.") \
    X(IssuerRecord, "A pinned OIDC issuer.") \
    X(GrantRecord, "A grant's row.") \
    X(GenerationRecord, "Grows with each change that can take something back.") \
    X(SealedVersion, "One version of a key.") \
    X(KeyRecord, "A key's row.") \
    X(ModelRecord, "A model keyspace's row.") \
    X(ApprovalRecord, "An approval's row.") \
    X(AttestPolicyRecord, "A version of an attestation policy.") \
    X(ChallengeKeyRecord, "What a tenant's challenges are made with.") \
    X(RcarRecord, "A session of the key broker protocol.") \
    X(DeviceRecord, "What is wanted of one key device.") \
    X(DevicesRecord, "What is wanted of the key devices.") \
    X(DueRecord, "What the scheduler will look at, in order of time.") \
    X(SpentRecord, "Times of signed requests whose nonces are gone.") \
    X(SettlementRecord, "A settlement, for who asks for the same again.")

/* clang-format on */
#endif
