import { setting } from '../runtime/environment';

/** Settings of a function that reads or writes archives; see `ArchiveEnvironment`. */
export const archiveSettings = {
  ARCHIVE_BUCKET: setting.text('the name of the archive bucket'),
  ARCHIVE_SIGNING_KEY_ARN: setting.text('the ARN of the key that signs manifests'),
};
