namespace MemVirt.Native.Counts;

/// <summary>One of the two that do an experiment: KVM with a real guest, or the engine's shadow pager.</summary>
internal interface IShadowSide
{
    /// <summary>User mode accesses each of the experiment's pages once, in order.</summary>
    ShadowCounts Touch(bool store);

    /// <summary>User mode stores one value some times into a guest table, at addresses a stride apart.</summary>
    ShadowCounts StoreEntries(ulong entryAddress, ulong value, int count, ulong strideBytes);

    /// <summary>User mode loads an entry of a guest table.</summary>
    ShadowCounts LoadEntry(ulong entryAddress);

    /// <summary>Supervisor mode loads CR3 with what is in it: everything but global pages is flushed.</summary>
    void ReloadRoot();

    /// <summary>Supervisor mode loads CR3 with another root; the code's page and the window's last are accessed once under it.</summary>
    void LoadRoot(ulong root);

    /// <summary>Supervisor mode executes INVLPG for one of the experiment's pages.</summary>
    void InvalidatePage(int page);
}
