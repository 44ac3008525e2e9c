namespace MemVirt.Native.Kvm;

/// <summary>The host's KVM cannot be used; the message says why in one line.</summary>
public sealed class KvmUnavailableException(string message) : Exception(message);
