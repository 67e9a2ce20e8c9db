//! File systems that several machines may have at the same time.
//!
//! Some of them keep `flock` to the machine that asks (NFS mounted with `nolock` or `local_lock`, Lustre with `localflock`,
//! 9p, virtiofs), and no trial on one machine can tell. So locks on them are not relied on.

use std::fs::File;

use dlmanager_core::Fault;

/// Whether the file lies in one of them.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn is_among_hosts(file: &File) -> Result<bool, Fault> {
    let kind = super::retry(|| rustix::fs::fstatfs(file)).map_err(super::on_file)?.f_type;
    // The field is 32 bits wide on some systems, and signed on others.
    #[allow(clippy::unnecessary_cast, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let magic = kind as u32;
    Ok(is_shared(magic))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn is_among_hosts(_file: &File) -> Result<bool, Fault> {
    Ok(false)
}

/// By the magic numbers of statfs(2) and of the file systems' own sources.
#[cfg_attr(not(any(target_os = "linux", target_os = "android", test)), expect(dead_code))]
const fn is_shared(magic: u32) -> bool {
    matches!(
        magic,
        0x6969 // NFS
            | 0x517b // SMB
            | 0xff53_4d42 // CIFS
            | 0xfe53_4d42 // SMB2
            | 0x6573_5546 // FUSE, virtiofs
            | 0x0102_1997 // 9p
            | 0x0bd0_0bd0 // Lustre
            | 0x00c3_6400 // Ceph
            | 0x5346_414f // AFS
            | 0x6b41_4653 // kAFS
            | 0x7375_7245 // Coda
            | 0x4750_4653 // GPFS
            | 0x7461_636f // OCFS2
            | 0x0116_1970 // GFS2
            | 0x1983_0326 // BeeGFS
            | 0x2003_0528 // OrangeFS
            | 0x786f_4256 // VirtualBox's shared folders
            | 0xbacb_acbc // VMware's
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_of_one_machine_are_not_among_them() {
        for magic in [0xef53, 0x0102_1994, 0x9123_683e, 0x5846_5342, 0x794c_7630, 0x2fc1_2fc1] {
            assert!(!is_shared(magic), "ext4, tmpfs, btrfs, XFS, overlayfs, ZFS: {magic:x}");
        }
        assert!(is_shared(0x6969) && is_shared(0x6573_5546));
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_among_hosts(&File::create(folder.path().join("a")).unwrap()).unwrap());
    }
}
